//! What holds for the whole of a document: target, regions, policy.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Location, suggest};
use crate::document::{Drift, StackPolicy, Target};
use crate::load::node::{Node, Tree};
use crate::load::reader::Reader;
use crate::render::Renderer;

/// The words for what to do about drift.
pub(crate) const DRIFTS: [&str; 3] = ["mend", "alert", "observe"];

/// What a word for drift means.
pub(crate) fn drift(word: &str) -> Drift {
    match word {
        "alert" => Drift::Alert,
        "observe" => Drift::Observe,
        _ => Drift::Mend,
    }
}

/// True for what looks like a region: `us-east-1`, `ap-southeast-2`, `us-gov-west-1`.
pub(crate) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    matches!(parts.as_slice(), [words @ .., number]
        if words.len() >= 2 && words.iter().all(letters) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

impl Renderer<'_> {
    /// The target: account, role, and the regions of stack and environment.
    pub(crate) fn read_target(&mut self) -> Target {
        let loaded = self.loaded;
        let mut target = Target::default();
        let mut reader = Reader { out: &mut self.out };
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
        if !target.regions.contains_key("main") && self.out.is_empty() {
            let diagnostic = Diagnostic::new(&loaded.stack.at, "nothing says in which region this stack is");
            let help = "write `regions: { main: … }` under `spec`, or `region` in the environment's `target`";
            self.out.push(diagnostic.help(help));
        }
        target
    }

    /// The stack's policy, with the environment's laid over it.
    pub(crate) fn read_policy(&mut self) -> StackPolicy {
        let loaded = self.loaded;
        let mut policy = StackPolicy::default();
        let mut reader = Reader { out: &mut self.out };
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

    /// The region that `region:` means: an alias, or a region's own name, which becomes an alias of itself.
    pub(crate) fn region(&mut self, text: &str, at: &Location) -> Option<String> {
        if let Some(region) = self.target.regions.get(text) {
            return Some(region.clone());
        }
        if is_region(text) {
            self.target.regions.insert(text.to_owned(), text.to_owned());
            return Some(text.to_owned());
        }
        let aliases = self.target.regions.keys().map(String::as_str);
        let help = suggest(text, aliases).unwrap_or_else(|| "declare it under `spec.regions`".into());
        self.out.push(Diagnostic::new(at, format!("there is no region `{text}`")).help(help));
        None
    }
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
            let message = format!("`{text}` is not a region; one looks like `us-east-1`");
            self.error(Diagnostic::new(&node.at, message));
            return None;
        }
        Some(text)
    }

    /// Twelve digits. Without quotes YAML takes them for a number, which is fine unless they begin with 0.
    fn account(&mut self, node: &Node) -> Option<String> {
        let text = match &node.tree {
            Tree::Text(text) => text.clone(),
            Tree::Integer(n) => n.to_string(),
            _ => String::new(),
        };
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(text);
        }
        let message = "an account is 12 digits";
        self.error(Diagnostic::new(&node.at, message).help("put it in quotes: one that begins with 0 is no number"));
        None
    }
}
