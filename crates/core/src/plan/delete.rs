//! Deletions: what a newer generation replaced, what left the document, and everything, when asked.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::planner::{Planner, Standing};
use super::{Action, Cause, Deed, Step};
use crate::address::Address;
use crate::document::Resource;
use crate::observed::{Observed, Phase};
use crate::op::Op;
use crate::schema::{Replace, Schema, Type};
use crate::value::Value;

/// Something to delete.
struct Doomed<'a> {
    address: Address,
    schema: &'static Schema,
    observed: &'a Observed,
}

impl<'a> Planner<'a> {
    /// Deletes what a newer generation replaced, once nobody refers to it any more.
    pub(super) fn delete_superseded(&mut self) {
        for (address, older) in &self.situation.superseded {
            let Some(resource) = self.document.resources.get(address) else { continue };
            if self.standing.get(address) != Some(&Standing::Settled) {
                continue;
            }
            let moving: BTreeSet<Address> = self
                .document
                .resources
                .values()
                .filter(|r| r.references().contains_key(address))
                .filter(|r| self.standing.get(&r.address) != Some(&Standing::Settled))
                .map(|r| r.address.clone())
                .collect();
            for observed in older {
                self.push_delete(resource.schema, address, observed, moving.clone());
            }
        }
        self.delete_old_revisions();
    }

    fn delete_old_revisions(&mut self) {
        let current: Vec<(&Resource, &Observed)> = self
            .situation
            .current
            .iter()
            .filter_map(|(address, live)| Some((self.document.resources.get(address)?, *live)))
            .collect();
        for (resource, live) in current {
            let Replace::Revision { keep } = resource.schema.replace else { continue };
            if self.standing.get(&resource.address) != Some(&Standing::Settled) {
                continue;
            }
            let Some(Value::List(revisions)) = live.status.get("revisions") else { continue };
            // Newest first; the newest itself may or may not be among them.
            let older = revisions.iter().filter_map(Value::text).filter(|id| *id != live.id);
            for id in older.skip(keep.saturating_sub(1)) {
                let old = Observed { id: id.to_owned(), ..live.clone() };
                self.push_delete(resource.schema, &resource.address, &old, BTreeSet::new());
            }
        }
    }

    /// Deletes what is ours by its tags and not in the document, where that is granted.
    pub(super) fn delete_orphans(&mut self, kinds: &[&'static Schema]) {
        let mut doomed = vec![];
        for orphan in &self.situation.orphans {
            let (address, id) = (&orphan.address, &orphan.observed.id);
            let held = match () {
                () if orphan.retained => Some((Reason::Retained, format!("{id} left the document and stays, as it is marked to"))),
                () if self.document.resources.is_empty() => {
                    Some((Reason::EmptyDocument, format!("{id} is not deleted because of an empty document; use `destroy`")))
                }
                () if !self.policy.prune && !self.document.policy.prune => {
                    let message = format!("{id} left the document; grant its deletion with `--prune` or `policy: {{ prune: true }}`");
                    Some((Reason::PruneNotGranted, message))
                }
                () if orphan.schema.data && !self.policy.delete_data => {
                    Some((Reason::PruneNotGranted, format!("{id} holds data; grant its deletion with `--delete-data`")))
                }
                () => None,
            };
            match held {
                Some((reason, message)) => self.hold(address, reason, message, None),
                None => doomed.push(Doomed { address: address.clone(), schema: orphan.schema, observed: orphan.observed }),
            }
        }
        self.delete_backwards(doomed, kinds, true);
    }

    /// Deletes everything that is ours.
    pub(super) fn destroy(&mut self, order: &[Address]) {
        let mut doomed = vec![];
        for address in order {
            let Some(resource) = self.document.resources.get(address).filter(|r| !r.is_lookup()) else { continue };
            if let Some(hold) = self.situation.holds.get(address).filter(|h| h.reason == Reason::Unobserved) {
                self.plan.holds.push(hold.clone());
            }
            if let Some(leaving) = self.situation.leaving.get(address) {
                self.hold(address, Reason::Deleting, format!("{} is on its way out", leaving.id), None);
            }
            let live = self.situation.current.get(address).into_iter().chain(self.situation.coming.get(address));
            let older = self.situation.superseded.get(address).into_iter().flatten();
            for observed in live.chain(older) {
                match () {
                    () if resource.lifecycle.protect => {
                        self.hold(address, Reason::Protected, format!("{} is protected", observed.id), None);
                    }
                    () if resource.on_delete() == crate::document::OnDelete::Retain && !self.policy.delete_data => {
                        self.hold(address, Reason::Retained, format!("{} stays; delete it too with `--delete-data`", observed.id), None);
                    }
                    () => doomed.push(Doomed { address: address.clone(), schema: resource.schema, observed }),
                }
            }
            let revisions = self.situation.current.get(address).and_then(|live| match live.status.get("revisions") {
                Some(Value::List(ids)) => Some((*live, ids)),
                _ => None,
            });
            if let Some((live, ids)) = revisions {
                for id in ids.iter().filter_map(Value::text).filter(|id| *id != live.id) {
                    let old = Observed { id: id.to_owned(), ..live.clone() };
                    self.push_delete(resource.schema, address, &old, BTreeSet::new());
                }
            }
        }
        for orphan in &self.situation.orphans {
            match orphan.retained && !self.policy.delete_data {
                true => self.hold(&orphan.address, Reason::Retained, format!("{} stays, as it is marked to", orphan.observed.id), None),
                false => doomed.push(Doomed { address: orphan.address.clone(), schema: orphan.schema, observed: orphan.observed }),
            }
        }
        self.delete_backwards(doomed, &[], false);
    }

    /// Deletes in the opposite order of references: what refers goes before what is referred to.
    fn delete_backwards(&mut self, doomed: Vec<Doomed<'_>>, _kinds: &[&'static Schema], capped: bool) {
        let most = self.document.policy.max_deletions;
        if capped && doomed.len() > most {
            for one in &doomed {
                let message = format!("{} resources would be deleted and one pass may delete {most}; raise `policy.maxDeletions`", doomed.len());
                self.plan.holds.push(Hold { address: one.address.clone(), reason: Reason::TooManyDeletions, message, waits_for: None });
            }
            return;
        }
        // Who refers to what, read from the live specs: the document may know neither any more.
        let identities: BTreeMap<(&str, String), &Address> = doomed
            .iter()
            .flat_map(|d| ["id", "arn", "name"].map(|a| (d, a)))
            .filter_map(|(d, a)| Some(((d.schema.kind, d.observed.attribute(a)?.text()?.to_owned()), &d.address)))
            .collect();
        let mut referred: BTreeMap<&Address, BTreeSet<Address>> = BTreeMap::new();
        let live_too = self.situation.current.iter().filter_map(|(address, live)| {
            Some((address, self.document.resources.get(address)?.schema, *live))
        });
        let all = doomed.iter().map(|d| (&d.address, d.schema, d.observed)).chain(live_too);
        for (address, schema, observed) in all {
            for (kind, identity) in references(schema, &observed.spec) {
                if let Some(target) = identities.get(&(kind, identity)).filter(|target| **target != address) {
                    let by_step = self.plan.steps.iter().any(|s| s.address == *address);
                    if by_step || doomed.iter().any(|d| d.address == *address) {
                        referred.entry(target).or_default().insert(address.clone());
                    }
                }
            }
        }
        // Two that name each other go one after the other, in order of address.
        let cyclic: BTreeSet<(Address, Address)> = referred
            .iter()
            .flat_map(|(to, by)| by.iter().map(move |from| ((*to).clone(), from.clone())))
            .filter(|(to, from)| referred.get(from).is_some_and(|back| back.contains(to)) && to < from)
            .collect();
        let steps: Vec<_> = doomed
            .iter()
            .map(|d| {
                let mut after = referred.get(&d.address).cloned().unwrap_or_default();
                after.retain(|from| !cyclic.contains(&(d.address.clone(), from.clone())));
                (d.schema, d.address.clone(), d.observed, after)
            })
            .collect();
        for (schema, address, observed, after) in steps {
            self.push_delete(schema, &address, observed, after);
        }
    }

    fn push_delete(&mut self, schema: &'static Schema, address: &Address, observed: &Observed, after: BTreeSet<Address>) {
        if observed.phase == Phase::Deleting {
            return;
        }
        let op = Op::Delete { live: Box::new(observed.clone()) };
        self.plan.steps.push(Step {
            address: address.clone(),
            tier: schema.tier,
            action: Action::Delete,
            cause: Cause::Edit,
            changes: vec![],
            after,
            deed: Some(Deed { kind: schema.kind, region: observed.region.clone(), op }),
        });
    }
}

/// The identities that a live spec refers to, by kind.
fn references(schema: &Schema, spec: &Value) -> Vec<(&'static str, String)> {
    let mut found = vec![];
    for field in schema.record.fields {
        if let Some(value) = spec.get(field.name) {
            collect(&field.ty, value, &mut found);
        }
    }
    found
}

fn collect(ty: &Type, value: &Value, found: &mut Vec<(&'static str, String)>) {
    match (ty, value) {
        (Type::Reference { kind, .. }, Value::Text(identity)) => found.push((kind, identity.clone())),
        (Type::Set(of) | Type::List(of), Value::List(list)) => list.iter().for_each(|v| collect(of, v, found)),
        (Type::Map(of), Value::Map(map)) => map.values().for_each(|v| collect(of, v, found)),
        (Type::Record(record), Value::Map(map)) => {
            for (key, value) in map {
                if let Some(field) = record.field(key) {
                    collect(&field.ty, value, found);
                }
            }
        }
        _ => {}
    }
}
