//! The parts of a document that apply to all its resources: target, regions, policy.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::document::{Drift, StackPolicy, Target};
use crate::load::node::{Node, Tree};
use crate::load::reader::Reader;
use crate::render::RenderContext;

/// The values of `drift`.
pub(super) const DRIFTS: [&str; 3] = ["correct", "warn", "ignore"];

/// Parses a value of `drift`.
pub(super) fn drift(word: &str) -> Drift {
    match word {
        "warn" => Drift::Warn,
        "ignore" => Drift::Ignore,
        _ => Drift::Correct,
    }
}

/// True for a text in the form of a region: `us-east-1`, `ap-southeast-2`, `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    matches!(parts.as_slice(), [words @ .., number]
        if words.len() >= 2 && words.iter().all(letters) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads the target: account, role, and the regions of stack and environment.
pub(super) fn read_target(ctx: &mut RenderContext<'_>) -> Target {
    let loaded = ctx.loaded;
    let mut target = Target::default();
    let mut reader = Reader { out: &mut ctx.out };
    if let Some(node) = &loaded.stack.regions {
        reader.regions(node, &mut target.regions);
    }
    if let Some(node) = &loaded.environment.target {
        let fields = reader.fields(node, "`target`", &["account", "region", "role", "externalId"]);
        target.account = fields.get("account").and_then(|n| reader.account(n));
        target.role = fields.get("role").and_then(|n| reader.text(n, "`role`"));
        target.external_id = fields.get("externalId").and_then(|n| reader.text(n, "`externalId`"));
        if let Some(region) = fields.get("region").and_then(|n| reader.region(n)) {
            target.regions.insert("main".into(), region);
        }
    }
    if let Some(node) = &loaded.environment.regions {
        reader.regions(node, &mut target.regions);
    }
    if !target.regions.contains_key("main") && ctx.out.is_empty() {
        let diagnostic = Diagnostic::new(&loaded.stack.at, "this stack has no region");
        let help = "write `regions: { main: … }` under `spec`, or `region` in the environment's `target`";
        ctx.out.push(diagnostic.help(help));
    }
    target
}

/// Reads the store that the environment names.
pub(super) fn read_store(ctx: &mut RenderContext<'_>) -> Option<String> {
    let node = ctx.loaded.environment.store.as_ref()?;
    let store = Reader { out: &mut ctx.out }.text(node, "`store`")?;
    // A relative folder would be another one for each working directory.
    if !store.starts_with('/') && !store.starts_with("s3://") {
        let diagnostic = Diagnostic::new(&node.at, format!("`{store}` is not a store"));
        ctx.out.push(diagnostic.help("write `s3://BUCKET/PREFIX`, or a folder that begins with `/`"));
    }
    Some(store)
}

/// Reads the stack's policy, with the environment's policy merged over it.
pub(super) fn read_policy(ctx: &mut RenderContext<'_>) -> StackPolicy {
    let loaded = ctx.loaded;
    let mut policy = StackPolicy::default();
    let mut reader = Reader { out: &mut ctx.out };
    for node in [&loaded.stack.policy, &loaded.environment.policy].into_iter().flatten() {
        let fields = reader.fields(node, "`policy`", &["prune", "drift", "maxDeletions", "maxMutations"]);
        if let Some(prune) = fields.get("prune").and_then(|n| reader.boolean(n, "`prune`")) {
            policy.prune = prune;
        }
        if let Some(word) = fields.get("drift").and_then(|n| reader.choice(n, "`drift`", &DRIFTS)) {
            policy.drift = drift(word);
        }
        if let Some(count) = fields.get("maxDeletions").and_then(|n| reader.count(n, "`maxDeletions`")) {
            policy.max_deletions = count;
        }
        if let Some(count) = fields.get("maxMutations").and_then(|n| reader.count(n, "`maxMutations`")) {
            policy.max_mutations = count;
        }
    }
    policy
}

/// Returns the region that `region:` names: an alias, or the name of a region, which becomes an alias of itself.
pub(super) fn resolve_region(ctx: &mut RenderContext<'_>, text: &str, at: &Location) -> Option<String> {
    if let Some(region) = ctx.target.regions.get(text) {
        return Some(region.clone());
    }
    if is_region(text) {
        ctx.target.regions.insert(text.to_owned(), text.to_owned());
        return Some(text.to_owned());
    }
    let aliases = ctx.target.regions.keys().map(String::as_str);
    let help = suggest(text, aliases).unwrap_or_else(|| "declare it under `spec.regions`".into());
    ctx.out.push(Diagnostic::new(at, format!("`{text}` is neither an alias nor the name of a region")).help(help));
    None
}

impl Reader<'_> {
    fn regions(&mut self, node: &Node, into: &mut BTreeMap<String, String>) {
        for (key, node) in self.map(node, "`regions`") {
            if let Some(region) = self.region(node) {
                into.insert(key.name.clone(), region);
            }
        }
    }

    fn region(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "a region")?;
        if !is_region(&text) {
            let message = format!("`{text}` is not a region; an example is `us-east-1`");
            self.error(Diagnostic::new(&node.at, message));
            return None;
        }
        Some(text)
    }

    /// Reads an account id: 12 digits. YAML reads them as a number without quotes, which works unless the first is 0.
    fn account(&mut self, node: &Node) -> Option<String> {
        let text = match &node.tree {
            Tree::Text(text) => text.clone(),
            Tree::Integer(n) => n.to_string(),
            _ => String::new(),
        };
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(text);
        }
        let message = "an account id must have 12 digits";
        let help = "write 12 digits in quotes: YAML reads digits without quotes as a number, which loses a leading 0";
        self.error(Diagnostic::new(&node.at, message).help(help));
        None
    }
}
