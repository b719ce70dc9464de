//! Cycles: resources that depend on each other, reported with every link.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::document::Resource;
use crate::render::RenderContext;
use crate::render::expand::Instance;
use crate::value::Value;

/// Reports every group of resources whose creates depend on each other.
pub(super) fn check_cycles(
    ctx: &mut RenderContext<'_>,
    instances: &[Instance],
    resources: &BTreeMap<Address, Resource>,
) {
    let mut report = |address: &Address, message: String, help: &str| {
        if let Some(instance) = instances.iter().find(|instance| instance.address == *address) {
            ctx.out.push(Diagnostic::new(&instance.at, message).help(help));
        }
    };
    let mut graph: DiGraph<&Address, ()> = DiGraph::new();
    let nodes: BTreeMap<&Address, NodeIndex> =
        resources.keys().map(|address| (address, graph.add_node(address))).collect();
    for resource in resources.values() {
        if needs_itself(resource) {
            let message = format!("`{}` depends on itself", resource.address);
            let help = "a resource can refer to itself only in a field that AWS accepts after the create";
            report(&resource.address, message, help);
        }
        for (address, after_create) in resource.references() {
            if let (false, Some(from), Some(to)) = (after_create, nodes.get(&resource.address), nodes.get(&address)) {
                graph.add_edge(*from, *to, ());
            }
        }
    }
    for component in tarjan_scc(&graph) {
        let start = component.iter().min_by_key(|node| graph[**node]);
        let Some(start) = start.filter(|_| component.len() > 1) else { continue };
        let links: Vec<String> = shortest(&graph, *start).into_iter().map(|node| graph[node].to_string()).collect();
        let message = format!("these resources depend on each other in a cycle: {}", links.join(" → "));
        let help = "remove one of the references; in most cycles one field can be set on the other resource instead";
        report(graph[*start], message, help);
    }
}

/// True when a reference that the create needs names the resource itself. Expressions may do so: the update after the
/// create evaluates them.
fn needs_itself(resource: &Resource) -> bool {
    let mut found = resource.depends_on.contains(&resource.address);
    resource.spec.walk(&mut |value| {
        found |= matches!(value, Value::Reference(r) if r.address == resource.address && !r.after_create);
    });
    found
}

/// Returns the shortest path from a node back to itself, both ends included.
fn shortest(graph: &DiGraph<&Address, ()>, start: NodeIndex) -> Vec<NodeIndex> {
    let mut before: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut next: Vec<NodeIndex> = graph.neighbors(node).collect();
        next.sort_by_key(|node| graph[*node]);
        for next in next {
            if next == start {
                let mut path = vec![start, node];
                let mut at = node;
                while at != start {
                    at = before[&at];
                    path.push(at);
                }
                path.reverse();
                return path;
            }
            before.entry(next).or_insert_with(|| {
                queue.push_back(next);
                node
            });
        }
    }
    vec![start]
}
