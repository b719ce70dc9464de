//! Differences: what differs between a resource and its document, and why.

use std::collections::BTreeMap;

use super::Cause;
use super::planner::{Planner, change};
use super::tags::{user_tags, wanted_tags};
use crate::diff::{Change, diff, diff_tags};
use crate::digest;
use crate::document::Resource;
use crate::observed::Observed;
use crate::rollback::pin;
use crate::schema::{Replace, Type};
use crate::value::Value;

impl Planner<'_> {
    /// What differs, tags and an autoscaler's band considered.
    pub(super) fn changes(&self, resource: &Resource, resolved: &Value, live: &Observed) -> Vec<Change> {
        let schema = resource.schema;
        let ignore = &resource.lifecycle.ignore;
        let mut changes = diff(schema.record, resolved, &live.spec, ignore);
        changes.retain(|change| !schema.unobserved.iter().any(|(field, _)| *field == change.field()));
        changes.retain(|change| !self.is_in_band(resource, change));
        changes.extend(self.unobserved(resource, resolved));
        if schema.claim.takes_tags() {
            changes.extend(diff_tags(&wanted_tags(resource, resolved, live), &user_tags(live), ignore));
        }
        let natural = !schema.naming.tag && resource.named && !live.name.is_empty();
        let one_name = !matches!(schema.replace, Replace::Revision { .. });
        if natural && live.name != resource.name && one_name {
            let renamed = change("name", live.name.clone().into(), resource.name.clone().into());
            changes.push(Change { immutable: true, ..renamed });
        }
        changes
    }

    /// Fields that cannot be seen are sent with every edit of the document, and never as drift.
    fn unobserved(&self, resource: &Resource, resolved: &Value) -> Vec<Change> {
        if resource.schema.unobserved.is_empty() || self.edited(resource) != Some(true) {
            return vec![];
        }
        let fields = resource.schema.unobserved.iter().filter_map(|(name, _)| resource.schema.record.field(name));
        let mutable =
            fields.filter(|field| !field.immutable && !resource.lifecycle.ignore.iter().any(|i| i == field.name));
        let stated = mutable.filter_map(|field| Some((field.name, resolved.get(field.name)?)));
        stated
            .map(|(name, to)| Change {
                unknown: to.unknown().map(|u| u.waits_for.clone()),
                ..change(name, Value::Null, to.clone())
            })
            .collect()
    }

    /// True for a count that an autoscaler of the document moved inside its band.
    fn is_in_band(&self, resource: &Resource, change: &Change) -> bool {
        let Some(Type::Scaled { by, min, max }) = resource.schema.record.field(&change.path).map(|f| f.ty) else {
            return false;
        };
        let scalers = self.document.resources.values().filter(|r| r.schema.kind == by);
        let mut bands = scalers
            .filter(|r| r.references().contains_key(&resource.address))
            .filter_map(|r| Some((r.spec.get(min)?.integer()?, r.spec.get(max)?.integer()?)));
        change.from.integer().is_some_and(|n| bands.any(|(least, most)| least <= n && n <= most))
    }

    /// Why something is not there.
    pub(super) fn cause_of_absence(&self, resource: &Resource) -> Cause {
        let memory = self.policy.memory.as_ref();
        match () {
            () if self.policy.at_work.contains(&resource.address) || self.is_elsewhere(resource) => Cause::Edit,
            () if memory.is_some_and(|memory| memory.contains_key(&resource.address)) => Cause::Missing,
            () if !self.owns_something || self.policy.remembers_all => Cause::Edit,
            () => Cause::Missing,
        }
    }

    /// True when it lives in another region, which the document said before.
    pub(super) fn is_elsewhere(&self, resource: &Resource) -> bool {
        self.situation.orphans.iter().any(|orphan| orphan.address == resource.address)
    }

    /// Why something differs.
    pub(super) fn cause(&self, resource: &Resource, resolved: &Value, live: &Observed) -> Cause {
        match self.edited(resource) {
            _ if self.policy.at_work.contains(&resource.address) => Cause::Edit,
            Some(true) => Cause::Edit,
            // It only has to follow what it refers to.
            _ if self.follows(resource, resolved, live) => Cause::Edit,
            Some(false) => Cause::Drift,
            None => Cause::Unattributed,
        }
    }

    /// True when all that differs are references to what a newer generation or revision took the place of, or to
    /// what one will.
    fn follows(&self, resource: &Resource, resolved: &Value, live: &Observed) -> bool {
        let references = resource.references();
        let newer = references.keys().filter_map(|address| Some((address, *self.situation.current.get(address)?)));
        let mut moved: BTreeMap<&str, Value> = BTreeMap::new();
        // A rollback that is half done: what it is to leave is there, and its hold as well.
        let pin = pin(self.document, resource, live, &self.situation.current);
        for (address, newer) in newer {
            let older = self.situation.superseded.get(address).into_iter().flatten();
            for (older, attribute) in older.flat_map(|o| ["id", "arn", "name"].map(|a| (*o, a))) {
                if let (Some(from), Some(to)) = (identity(older, attribute), newer.attribute(attribute)) {
                    moved.insert(from, to);
                }
            }
            if let Some(pin) = pin.as_ref().filter(|pin| pin.of == *address) {
                moved.insert(&newer.id, pin.to.clone());
            } else if let Some(Value::List(revisions)) = newer.status.get("revisions") {
                moved.extend(revisions.iter().filter_map(Value::text).map(|old| (old, newer.id.clone().into())));
            }
        }
        let followed = Observed { spec: substitute(&live.spec, &moved), ..live.clone() };
        self.changes(resource, resolved, &followed).iter().all(|change| change.unknown.is_some())
    }

    /// Whether the document changed since it was last converged; none when nobody recorded that.
    pub(super) fn edited(&self, resource: &Resource) -> Option<bool> {
        let remembered = self.policy.memory.as_ref().and_then(|memory| memory.get(&resource.address).cloned());
        let converged = Some(self.situation.digest(resource)).filter(|d| !d.is_empty()).or(remembered)?;
        Some(converged != digest::of(resource))
    }
}

fn identity<'a>(observed: &'a Observed, attribute: &str) -> Option<&'a str> {
    match attribute {
        "id" => Some(&observed.id),
        "name" => Some(&observed.name),
        other => observed.status.get(other).and_then(Value::text),
    }
}

/// The same value with these texts replaced.
fn substitute(value: &Value, by: &BTreeMap<&str, Value>) -> Value {
    match value {
        Value::Text(text) => by.get(text.as_str()).unwrap_or(value).clone(),
        Value::List(list) => Value::List(list.iter().map(|v| substitute(v, by)).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), substitute(v, by))).collect()),
        other => other.clone(),
    }
}
