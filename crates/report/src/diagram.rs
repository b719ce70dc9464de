//! The graph of a document, as Mermaid or as SVG with the tiers as columns.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::graph::Graph;
use holdfast_core::schema::Tier;

/// Returns a Mermaid flowchart. An arrow leads from a resource to a resource that it refers to; it is dotted if only an
/// update needs the reference.
pub fn mermaid(document: &Document) -> String {
    let mut out = String::from("flowchart RL\n");
    for (tier, members) in tiers(document) {
        let _ = writeln!(out, "  subgraph {tier}");
        for address in members {
            let _ = writeln!(out, "    {}[\"{address}\"]", node(address));
        }
        out.push_str("  end\n");
    }
    for (from, to, after_create) in edges(document) {
        let arrow = if after_create { "-.->" } else { "-->" };
        let _ = writeln!(out, "  {} {arrow} {}", node(&from), node(&to));
    }
    out
}

const WIDTH: usize = 250;
const GAP: usize = 110;
const HEIGHT: usize = 26;
const ROW: usize = 38;
const TOP: usize = 60;
const BEND: usize = 50;

/// Returns an SVG image with the tiers as columns.
pub fn svg(document: &Document) -> String {
    let columns = tiers(document);
    let critical_path_lengths = Graph::of(document).critical_path_lengths();
    let mut positions: BTreeMap<&Address, (usize, usize)> = BTreeMap::new();
    let mut rows = 0;
    for (x, (_, members)) in columns.iter().enumerate() {
        let mut members = members.clone();
        members.sort_by_key(|a| {
            (std::cmp::Reverse(critical_path_lengths.get(*a).copied().unwrap_or_default()), (*a).clone())
        });
        rows = rows.max(members.len());
        for (y, address) in members.into_iter().enumerate() {
            positions.insert(address, (20 + x * (WIDTH + GAP), TOP + y * ROW));
        }
    }
    let (width, height) = (20 + columns.len() * (WIDTH + GAP), TOP + rows * ROW + 20);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<defs><marker id=\"to\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
         <path d=\"M0,0 L6,3 L0,6 z\" fill=\"#94a3b8\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let title = format!("{}/{}", document.stack, document.env);
    let _ = writeln!(out, "<text x=\"20\" y=\"24\" font-size=\"16\" font-weight=\"600\">{}</text>", escape(&title));
    for (from, to, after_create) in edges(document) {
        if let (Some(&(fx, fy)), Some(&(tx, ty))) = (positions.get(&from), positions.get(&to)) {
            let dash = if after_create { " stroke-dasharray=\"4 3\"" } else { "" };
            let (y1, y2) = (fy + HEIGHT / 2, ty + HEIGHT / 2);
            let (x1, x2, b1, b2) = match fx.cmp(&tx) {
                Ordering::Greater => (fx, tx + WIDTH, fx - BEND, tx + WIDTH + BEND),
                Ordering::Less => (fx + WIDTH, tx, fx + WIDTH + BEND, tx - BEND),
                // Within a column, the line is a curve on the right side, which is wider for a longer line.
                Ordering::Equal => {
                    let out = fx + WIDTH + 16 + (y1.abs_diff(y2) / 6).min(GAP - 40);
                    (fx + WIDTH, tx + WIDTH, out, out)
                }
            };
            let _ = writeln!(
                out,
                "<path d=\"M{x1},{y1} C{b1},{y1} {b2},{y2} {x2},{y2}\" fill=\"none\" stroke=\"#94a3b8\"{dash} marker-end=\"url(#to)\"/>"
            );
        }
    }
    for (x, (tier, _)) in columns.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"48\" fill=\"#475569\" font-weight=\"600\">{tier}</text>",
            20 + x * (WIDTH + GAP)
        );
    }
    for (address, (x, y)) in positions {
        let fill = color(document.resources[address].schema.tier);
        let text = truncate(&address.to_string());
        let _ = writeln!(
            out,
            "<g><title>{full}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"5\" fill=\"{fill}\" stroke=\"#64748b\"/>\
             <text x=\"{tx}\" y=\"{ty}\">{text}</text></g>",
            full = escape(&address.to_string()),
            tx = x + 10,
            ty = y + 17,
            text = escape(&text),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn tiers(document: &Document) -> Vec<(Tier, Vec<&Address>)> {
    let mut tiers: BTreeMap<Tier, Vec<&Address>> = BTreeMap::new();
    for resource in document.resources.values() {
        tiers.entry(resource.schema.tier).or_default().push(&resource.address);
    }
    tiers.into_iter().collect()
}

fn edges(document: &Document) -> Vec<(Address, Address, bool)> {
    let graph = Graph::of(document);
    let edges = graph
        .edges
        .into_iter()
        .flat_map(|(from, to)| to.into_iter().map(move |(to, after_create)| (from.clone(), to, after_create)));
    edges.filter(|(_, to, _)| document.resources.contains_key(to)).collect()
}

fn node(address: &Address) -> String {
    address.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn color(tier: Tier) -> &'static str {
    match tier {
        Tier::Network => "#dbeafe",
        Tier::Data => "#fde68a",
        Tier::Compute => "#dcfce7",
        Tier::Edge => "#fae8ff",
        Tier::Operations => "#f1f5f9",
    }
}

fn truncate(text: &str) -> String {
    const MAX_CHARS: usize = 36;
    match text.chars().count() > MAX_CHARS {
        true => text.chars().take(MAX_CHARS - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
