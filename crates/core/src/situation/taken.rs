//! Names and identities that are somebody else's.

use super::Situation;
use crate::address::Address;
use crate::diff;
use crate::document::{Document, Resource};
use crate::observed::{Observed, Owner, Phase};
use crate::plan::hold::Reason;
use crate::resolve::{Known, resolve};
use crate::value::Value;

/// What stands where a resource is to be and is not it: another live thing with its identity, which AWS has room for
/// only once, or with its physical name. A name that another address of the document has is not taken by it: of some
/// kinds several may have the same, such as a public and a private zone.
pub(super) fn twin<'a>(
    document: &Document,
    resource: &Resource,
    found: &'a [Observed],
    situation: &Situation<'a>,
) -> Option<&'a Observed> {
    let own = situation.current.get(&resource.address).map(|own| std::ptr::from_ref(*own));
    let mut others = found.iter().filter(|o| o.phase != Phase::Deleting && own != Some(std::ptr::from_ref(*o)));
    let key = resource.schema.claim.identity();
    if key.is_empty() {
        let has_another_address = |owner: Owner| {
            let address = owner.address.parse::<Address>().ok();
            let other = address.and_then(|address| document.resources.get(&address));
            owner.stack == document.stack
                && owner.env == document.env
                && other.is_some_and(|other| other.address != resource.address && !other.is_lookup())
        };
        let mut others = others.filter(|o| !o.owner().is_some_and(has_another_address));
        return others.find(|o| !resource.schema.naming.tag && o.name == resource.name);
    }
    let spec =
        resolve(&resource.address, resource.schema.record, &resource.spec, Known::of(&situation.current)).ok()?;
    let of = |spec: &Value| -> Vec<Value> {
        let field = |name: &&str| (resource.schema.record.field(name), spec.get(name).cloned().unwrap_or_default());
        key.iter().map(field).map(|(field, value)| field.map_or(Value::Null, |f| diff::normal(&f.ty, &value))).collect()
    };
    let ours = of(&spec);
    let known = ours.iter().all(|value| value.unknown().is_none());
    others.find(|o| known && of(&o.spec) == ours)
}

/// Holds a resource whose name or identity is somebody else's.
pub(super) fn take(resource: &Resource, taken: &Observed, situation: &mut Situation<'_>) {
    let message = match (taken.owner(), resource.schema.claim.identity()) {
        (Some(owner), _) => format!("{} belongs to {}/{} as {}", taken.id, owner.stack, owner.env, owner.address),
        (None, key) => {
            let (way, other) = match key {
                [] => (&taken.name, "name".to_owned()),
                key => (&taken.id, key.join("`, `")),
            };
            let way = format!("adopt it with `lifecycle: {{ adopt: {way} }}` or choose another `{other}`");
            format!("{} exists and is not ours; {way}", taken.id)
        }
    };
    situation.hold(resource, Reason::NameTaken, message);
}
