//! The `lifecycle` of a resource.

use crate::diagnostic::{Diagnostic, suggest};
use crate::document::{Lifecycle, Lookup, OnDelete};
use crate::load::node::{Node, Tree};
use crate::load::reader::Reader;
use crate::render::RenderContext;
use crate::render::evaluate::evaluate_node;
use crate::render::expand::Instance;
use crate::render::reference::known_string;
use crate::render::target::{DRIFTS, drift};
use crate::schema::{Record, Type, with_article};

const LIFECYCLE: [&str; 9] =
    ["manage", "onDelete", "replace", "ignore", "adopt", "protect", "movedFrom", "drift", "accept"];

pub(super) fn read_lifecycle(ctx: &mut RenderContext<'_>, node: &Node, instance: &Instance) -> Lifecycle {
    let frame = &instance.frame;
    let mut lifecycle = Lifecycle::default();
    let Some((node, _)) = evaluate_node(ctx, node, frame, "") else { return lifecycle };
    let fields = Reader { out: &mut ctx.out }.fields(&node, "`lifecycle`", &LIFECYCLE);
    for (word, value) in fields {
        let Some((value, _)) = evaluate_node(ctx, value, frame, "") else { continue };
        if matches!(value.tree, Tree::Null) {
            continue;
        }
        let mut reader = Reader { out: &mut ctx.out };
        match word {
            "manage" => {
                let observe = reader.choice(&value, "`manage`", &["full", "observe"]) == Some("observe");
                lifecycle.lookup = observe.then_some(Lookup::Fields);
            }
            "onDelete" => {
                let on_delete = reader.choice(&value, "`onDelete`", &["delete", "retain"]);
                lifecycle.on_delete =
                    on_delete.map(|w| if w == "retain" { OnDelete::Retain } else { OnDelete::Delete });
            }
            "replace" => lifecycle.replace = reader.choice(&value, "`replace`", &["allow", "refuse"]) == Some("allow"),
            "protect" => lifecycle.protect = reader.boolean(&value, "`protect`").unwrap_or_default(),
            "drift" => lifecycle.drift = reader.choice(&value, "`drift`", &DRIFTS).map(drift),
            "adopt" => lifecycle.adopt = known_string(ctx, &value, frame),
            "movedFrom" => lifecycle.moved_from = read_moved_from(ctx, &value, instance),
            "ignore" => lifecycle.ignore = read_paths(ctx, &value, instance, "ignore", "desiredCount"),
            "accept" => lifecycle.accept = read_paths(ctx, &value, instance, "accept", "engineVersion"),
            _ => {}
        }
    }
    lifecycle
}

fn read_moved_from(ctx: &mut RenderContext<'_>, node: &Node, instance: &Instance) -> Option<crate::address::Address> {
    let text = known_string(ctx, node, &instance.frame)?;
    let kind = instance.schema.kind;
    match text.parse::<crate::address::Address>() {
        Ok(address) if address == instance.address => {
            let message = format!("`movedFrom` is `{address}`, which is the resource's own address");
            let help = "write the address that the resource had before, or remove `movedFrom`";
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            None
        }
        Ok(address) if &*address.kind == kind => Some(address),
        Ok(address) => {
            let (before, now) = (with_article(&address.kind), with_article(kind));
            let message = format!("{before} cannot become {now}");
            let help = format!("write `{kind}/…`, the address that the resource had before");
            ctx.out.push(Diagnostic::new(&node.at, message).help(help));
            None
        }
        Err(error) => {
            ctx.out.push(Diagnostic::new(&node.at, error.to_string()));
            None
        }
    }
}

fn read_paths(ctx: &mut RenderContext<'_>, node: &Node, instance: &Instance, word: &str, example: &str) -> Vec<String> {
    let Tree::List(list) = &node.tree else {
        let message = format!("`{word}` must be a list of paths, but this is {}", node.describe());
        ctx.out.push(Diagnostic::new(&node.at, message).help(format!("write, for example, `{word}: [{example}]`")));
        return Vec::new();
    };
    let mut paths = Vec::new();
    for item in list {
        let Some(path) = known_string(ctx, item, &instance.frame) else { continue };
        if let Err((step, known)) = check_path(instance.schema.record, &path) {
            let kind = with_article(instance.schema.kind);
            let message = format!("`{path}` is not a path in {kind}: there is no field `{step}`");
            ctx.out.push(Diagnostic::new(&item.at, message).help_if(suggest(&step, known)));
            continue;
        }
        paths.push(path);
    }
    paths
}

/// Checks a dotted path against a record. The error is the step that does not exist, and the fields that do.
fn check_path(record: &'static Record, path: &str) -> Result<(), (String, Vec<&'static str>)> {
    let mut ty = Type::Record(record);
    for (at, step) in path.split('.').enumerate() {
        ty = match ty {
            Type::Record(_) if at == 0 && step == "tags" => Type::Map(&Type::Text),
            Type::Record(record) => match record.field(step) {
                Some(field) => field.ty,
                None => return Err((step.to_owned(), record.fields.iter().map(|field| field.name).collect())),
            },
            Type::Map(of) | Type::List(of) | Type::Set(of) => *of,
            // A policy or other JSON can contain any path.
            Type::Canonical { .. } => return Ok(()),
            _ => return Err((step.to_owned(), Vec::new())),
        };
    }
    Ok(())
}
