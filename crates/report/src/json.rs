//! Reports as JSON. The format is stable and documented in docs/json.md.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::{Condition, KindRegion, Observed};
use holdfast_core::plan::hold::Hold;
use holdfast_core::plan::{Action, Plan};
use holdfast_core::schema::{Field, Registry, Schema};

use crate::Footer;

/// Returns a plan.
pub fn plan(plan: &Plan, footer: Footer<'_>) -> Json {
    let mut summary: serde_json::Map<String, Json> =
        Action::ALL.iter().map(|a| (a.word().to_owned(), plan.count(*a).into())).collect();
    summary.insert("none".into(), plan.unchanged.into());
    let steps: Vec<Json> = plan
        .steps
        .iter()
        .map(|step| {
            let mut json = json!({
                "address": step.address,
                "tier": step.tier,
                "action": step.action,
                "cause": step.cause,
                "changes": step.changes,
                "after": step.after,
            });
            if let (Some(map), Some(live)) = (json.as_object_mut(), step.deleted()) {
                map.insert("live".into(), json!({"id": live.id, "name": live.name, "region": live.region}));
            }
            json
        })
        .collect();
    let conditions = plan.conditions.iter().map(|(address, condition)| {
        let Condition { ty, reason, message } = condition;
        json!({"address": address, "type": ty, "reason": reason, "message": message})
    });
    let unobserved = footer
        .unobserved
        .iter()
        .map(|(KindRegion { kind, region }, error)| json!({"kind": kind, "region": region, "error": error}));
    json!({
        "stack": plan.stack,
        "env": plan.env,
        "summary": summary,
        "steps": steps,
        "holds": plan.holds,
        "conditions": conditions.collect::<Vec<_>>(),
        "observationFailures": unobserved.collect::<Vec<_>>(),
        "awsCalls": footer.calls,
        "digest": plan.digest(),
    })
}

/// Returns a rendered document: its resources by address.
pub fn document(document: &Document) -> Json {
    let resources = document.resources.values().map(|r| {
        let mut spec = r.spec.json();
        if let Some(map) = spec.as_object_mut() {
            map.insert("name".into(), r.name.clone().into());
            if !r.region.is_empty() {
                map.insert("region".into(), r.region.clone().into());
            }
        }
        (r.address.to_string(), spec)
    });
    json!({
        "stack": document.stack,
        "env": document.env,
        "resources": resources.collect::<serde_json::Map<_, _>>(),
    })
}

/// Returns the kinds: `[{"kind","tier","summary","doc","mutable","immutable","writeOnly":{field: reason}}]`.
pub fn kinds(registry: &Registry) -> Json {
    let kind = |schema: &&Schema| {
        let write_only: BTreeMap<&str, &str> = schema.write_only.iter().copied().collect();
        let observed = schema.record.fields.iter().filter(|f| !write_only.contains_key(f.name));
        let (immutable, mutable): (Vec<&Field>, Vec<&Field>) = observed.partition(|f| f.immutable);
        let names = |fields: Vec<&Field>| fields.into_iter().map(|f| f.name).collect::<Vec<_>>();
        let (immutable, mut mutable) = (names(immutable), names(mutable));
        if schema.ownership.takes_tags() {
            mutable.push("tags");
        }
        json!({
            "kind": schema.kind,
            "tier": schema.tier,
            "summary": schema.record.summary(),
            "doc": schema.record.doc,
            "mutable": mutable,
            "immutable": immutable,
            "writeOnly": write_only,
        })
    };
    registry.0.iter().map(kind).collect()
}

/// Returns a live resource: `{"address","id","name","region","phase","spec","status","tags","conditions","holds"}`.
pub fn observed(address: &Address, observed: &Observed, plan: &Plan) -> Json {
    let holds: Vec<&Hold> = plan.holds.iter().filter(|hold| hold.address == *address).collect();
    json!({
        "address": address,
        "id": observed.id,
        "name": observed.name,
        "region": observed.region,
        "phase": observed.phase,
        "spec": observed.spec,
        "status": observed.status,
        "tags": observed.tags,
        "conditions": observed.conditions,
        "holds": holds,
    })
}

/// Returns the drift and the edits:
/// `{"stack","env","drift":[{"address","tier","cause","changes"}],"edits":[…],"holds","awsCalls"}`.
pub fn drift(plan: &Plan, calls: u64) -> Json {
    let (drift, edits): (Vec<_>, Vec<_>) = plan.differences.iter().partition(|d| d.cause.is_drift());
    json!({
        "stack": plan.stack,
        "env": plan.env,
        "drift": drift,
        "edits": edits,
        "holds": plan.holds,
        "awsCalls": calls,
    })
}
