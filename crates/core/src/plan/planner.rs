//! Decides about one resource after the other, in the order of their references.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::{Hold, Reason};
use super::{Action, Cause, Deed, Difference, Live, Plan, Policy, Step};
use crate::address::Address;
use crate::diff::{Change, diff, diff_tags, merge};
use crate::digest;
use crate::document::{Document, Drift, OnDelete, Resource};
use crate::observed::{Observed, Owner, Phase, child_tag, tag};
use crate::op::{Op, Wanted};
use crate::resolve::{resolve, without_late};
use crate::schema::{Claim, Replace, Type};
use crate::situation::{ChildTag, Situation, child_key};
use crate::value::Value;

/// How far a resource is, for those that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Live, usable, and as the document has it (or left so on purpose).
    Settled,
    /// A step or AWS is at work on it.
    Coming,
    /// Held: it will not come without a person, or is unknown.
    Held,
}

pub(super) struct Planner<'a> {
    pub(super) document: &'a Document,
    pub(super) policy: &'a Policy,
    pub(super) situation: &'a Situation<'a>,
    pub(super) standing: BTreeMap<Address, Standing>,
    pub(super) plan: Plan,
    owns_something: bool,
}

impl<'a> Planner<'a> {
    pub(super) fn new(document: &'a Document, policy: &'a Policy, situation: &'a Situation<'a>) -> Self {
        let plan = Plan { stack: document.stack.clone(), env: document.env.clone(), ..Plan::default() };
        let owned = |address: &Address| document.resources.get(address).is_some_and(|r| !r.is_lookup());
        let owns_something = situation.current.keys().any(owned) || !situation.orphans.is_empty();
        Planner { document, policy, situation, standing: BTreeMap::new(), plan, owns_something }
    }

    pub(super) fn finish(self) -> Plan {
        self.plan
    }

    pub(super) fn hold(&mut self, address: &Address, reason: Reason, message: impl Into<String>, waits_for: Option<Address>) {
        self.plan.holds.push(Hold { address: address.clone(), reason, message: message.into(), waits_for });
    }

    pub(super) fn consider(&mut self, address: &Address) {
        let Some(resource) = self.document.resources.get(address) else { return };
        if let Some(live) = self.situation.current.get(address) {
            let live = Live {
                id: live.id.clone(),
                phase: live.phase,
                tier: resource.schema.tier,
                digest: digest::of(resource),
                converged: false,
            };
            self.plan.live.insert(address.clone(), live);
            let remarks = self.situation.current[address].remarks.iter().map(|r| (address.clone(), r.clone()));
            self.plan.remarks.extend(remarks);
        }
        let standing = self.decide(resource);
        if standing == Standing::Settled {
            if let Some(live) = self.plan.live.get_mut(address) {
                live.converged = !self.plan.differences.iter().any(|d| d.address == *address);
            }
        }
        self.standing.insert(address.clone(), standing);
    }

    fn decide(&mut self, resource: &'a Resource) -> Standing {
        let address = &resource.address;
        if let Some(hold) = self.situation.holds.get(address).or_else(|| self.policy.holds.get(address)) {
            self.plan.holds.push(hold.clone());
            return match hold.reason {
                reason if reason.passes() => Standing::Coming,
                Reason::Stalled if self.situation.current.contains_key(address) => Standing::Settled,
                _ => Standing::Held,
            };
        }
        if resource.is_lookup() {
            self.plan.unchanged += 1;
            return Standing::Settled;
        }
        let (coming, held) = self.needs(resource);
        let resolved = match resolve(&resource.spec, &self.situation.current) {
            Ok(resolved) => resolved,
            Err(error) => {
                self.hold(address, Reason::Expression, error.to_string(), None);
                return Standing::Held;
            }
        };
        if let Some(coming) = self.situation.coming.get(address) {
            let (reason, message) = match coming.phase {
                Phase::Failed => (Reason::Failed, format!("AWS gave up on {}; delete it by hand and it is made again", coming.id)),
                _ => (Reason::Pending, format!("its replacement {} is not ready yet", coming.id)),
            };
            self.hold(address, reason, message, None);
            return Standing::Coming;
        }
        match self.situation.current.get(address) {
            None => self.create(resource, &resolved, coming, held),
            Some(live) => self.compare(resource, &resolved, live, coming, held),
        }
    }

    /// What it refers to that is not settled: what is coming, and the first that is held.
    fn needs(&self, resource: &Resource) -> (BTreeSet<Address>, Option<Address>) {
        let mut coming = BTreeSet::new();
        let mut held = None;
        for (address, late) in resource.references() {
            match self.standing.get(&address) {
                _ if late => {}
                Some(Standing::Settled) => {}
                Some(Standing::Coming) => {
                    coming.insert(address);
                }
                Some(Standing::Held) | None => held = held.or(Some(address)),
            }
        }
        (coming, held)
    }

    fn wait_for(&mut self, resource: &Resource, held: Address) -> Standing {
        self.hold(&resource.address, Reason::WaitsFor, format!("it refers to {held}, which is held"), Some(held));
        Standing::Held
    }

    fn create(&mut self, resource: &Resource, resolved: &Value, coming: BTreeSet<Address>, held: Option<Address>) -> Standing {
        let address = &resource.address;
        let known = |memory: &BTreeMap<Address, String>| memory.contains_key(address);
        let cause = match &self.policy.memory {
            _ if !self.owns_something => Cause::Edit,
            Some(memory) if !known(memory) => Cause::Edit,
            _ => Cause::Missing,
        };
        self.differ(resource, cause, vec![]);
        if let Some(leaving) = self.situation.leaving.get(address) {
            self.hold(address, Reason::Deleting, format!("{} has to be gone first", leaving.id), None);
            return Standing::Coming;
        }
        if let Some(held) = held {
            return self.wait_for(resource, held);
        }
        if let Some(foreign) = self.situation.adoptable.get(address) {
            let set = self.owner_tags(resource, 1);
            let changes = vec![change("tags.holdfast:address", Value::Null, address.to_string().into())];
            let op = Op::Tag { live: Box::new((*foreign).clone()), set, remove: BTreeSet::new() };
            return self.step(resource, Action::Adopt, Cause::Edit, changes, coming, Some(op));
        }
        if cause == Cause::Missing && self.leaves_drift(resource) {
            self.hold(address, Reason::DriftLeft, "it is missing, and the document says to leave drift", None);
            return Standing::Held;
        }
        let spec = without_late(resolved);
        let changes = spec.map().into_iter().flatten().map(|(k, v)| change(k, Value::Null, v.clone())).collect();
        let op = spec.unknown().is_none().then(|| Op::Create(self.wanted(resource, resource.name.clone(), &spec, 1)));
        self.step(resource, Action::Create, cause, changes, coming, op)
    }

    fn compare(
        &mut self,
        resource: &'a Resource,
        resolved: &Value,
        live: &'a Observed,
        coming: BTreeSet<Address>,
        held: Option<Address>,
    ) -> Standing {
        let address = &resource.address;
        match live.phase {
            Phase::Pending => {
                self.hold(address, Reason::Pending, format!("{} is not ready yet", live.id), None);
                return Standing::Coming;
            }
            Phase::Failed => {
                let message = format!("AWS gave up on {}; delete it by hand and it is made again", live.id);
                self.hold(address, Reason::Failed, message, None);
                return Standing::Held;
            }
            Phase::Deleting => {
                self.hold(address, Reason::Deleting, format!("{} has to be gone first", live.id), None);
                return Standing::Coming;
            }
            Phase::Ready | Phase::Updating => {}
        }
        let mut changes = self.changes(resource, resolved, live);
        let before = changes.len();
        changes.retain(|change| !live.scheduled.contains(&change.path));
        if changes.len() < before {
            self.hold(address, Reason::Scheduled, "AWS accepted the change for its maintenance window", None);
        }
        if changes.is_empty() {
            return self.record(resource, resolved, live);
        }
        let cause = self.cause(resource);
        self.differ(resource, cause, changes.clone());
        if let Some(held) = held {
            return self.wait_for(resource, held);
        }
        if cause != Cause::Edit && self.leaves_drift(resource) {
            self.hold(address, Reason::DriftLeft, "it drifted, and the document says to leave it", None);
            return Standing::Settled;
        }
        if live.phase == Phase::Updating {
            self.hold(address, Reason::Pending, format!("{} refuses changes for now", live.id), None);
            return Standing::Coming;
        }
        let in_tags = changes.iter().all(|c| c.field() == "tags");
        if matches!(resource.schema.replace, Replace::Revision { .. }) && !in_tags {
            let spec = without_late(resolved);
            let op = spec.unknown().is_none().then(|| Op::Create(self.wanted(resource, resource.name.clone(), &spec, 1)));
            return self.step(resource, Action::Update, cause, changes, coming, op);
        }
        if changes.iter().any(|c| c.immutable) {
            return self.replace(resource, resolved, live, cause, changes, coming);
        }
        // Nothing is sent while a part of it is unknown: a set sent without it would take it away.
        let unknown: Vec<_> = changes.iter().filter_map(|c| c.to.unknown()).cloned().collect();
        // What waits for nothing but a late reference counts as settled, or the two would wait for each other.
        let late = coming.is_empty() && !unknown.is_empty() && unknown.iter().all(|u| u.late);
        let mut after = coming;
        after.extend(unknown.into_iter().map(|u| u.waits_for));
        let op = after.is_empty().then(|| self.update(resource, resolved, live, &changes));
        let standing = self.step(resource, Action::Update, cause, changes, after, op);
        if late { Standing::Settled } else { standing }
    }

    /// What differs, tags and an autoscaler's band considered.
    fn changes(&self, resource: &Resource, resolved: &Value, live: &Observed) -> Vec<Change> {
        let ignore = &resource.lifecycle.ignore;
        let unobserved = |change: &Change| resource.schema.unobserved.iter().any(|(field, _)| *field == change.field());
        let mut changes = diff(resource.schema.record, resolved, &live.spec, ignore);
        changes.retain(|change| !unobserved(change));
        changes.retain(|change| !self.is_in_band(resource, change));
        if resource.schema.claim == Claim::AtCreate {
            changes.extend(diff_tags(&wanted_tags(resource, live), &user_tags(live), ignore));
        }
        let natural = !resource.schema.naming.tag && resource.named && !live.name.is_empty();
        if natural && live.name != resource.name && matches!(resource.schema.replace, Replace::CreateFirst | Replace::DeleteFirst) {
            changes.push(Change { immutable: true, ..change("name", live.name.clone().into(), resource.name.clone().into()) });
        }
        changes
    }

    /// True for a count that an autoscaler of the document moved inside its band.
    fn is_in_band(&self, resource: &Resource, change: &Change) -> bool {
        let Some(Type::Scaled { by, min, max }) = resource.schema.record.field(&change.path).map(|f| f.ty) else {
            return false;
        };
        let scalers = self.document.resources.values().filter(|r| r.schema.kind == by);
        let mut bands = scalers.filter(|r| r.references().contains_key(&resource.address)).filter_map(|r| {
            Some((r.spec.get(min)?.integer()?, r.spec.get(max)?.integer()?))
        });
        change.from.integer().is_some_and(|n| bands.any(|(least, most)| least <= n && n <= most))
    }

    fn cause(&self, resource: &Resource) -> Cause {
        let wanted = digest::of(resource);
        let remembered = self.policy.memory.as_ref().and_then(|memory| memory.get(&resource.address).cloned());
        let converged = Some(self.situation.digest(resource)).filter(|d| !d.is_empty()).or(remembered);
        match converged {
            Some(digest) if digest == wanted => Cause::Drift,
            Some(_) => Cause::Edit,
            None => Cause::Unattributed,
        }
    }

    fn replace(
        &mut self,
        resource: &Resource,
        resolved: &Value,
        live: &Observed,
        cause: Cause,
        changes: Vec<Change>,
        coming: BTreeSet<Address>,
    ) -> Standing {
        let address = &resource.address;
        let forcing: Vec<&str> = changes.iter().filter(|c| c.immutable && c.unknown.is_none()).map(|c| c.path.as_str()).collect();
        if forcing.is_empty() {
            let waits_for = changes.iter().find_map(|c| c.unknown.clone());
            let message = "whether it has to be replaced is not known yet";
            let standing = match waits_for.as_ref().and_then(|w| self.standing.get(w)) {
                Some(Standing::Coming) => Standing::Coming,
                _ => Standing::Held,
            };
            self.hold(address, Reason::WaitsFor, message, waits_for);
            return standing;
        }
        let forcing = forcing.join(", ");
        if resource.lifecycle.protect {
            self.hold(address, Reason::Protected, format!("`{forcing}` forces a replacement, and it is protected"), None);
            return Standing::Settled;
        }
        if !resource.lifecycle.replace && !self.policy.replace.allows(address) {
            let message = format!("`{forcing}` forces a replacement; grant it with `lifecycle: {{ replace: allow }}` or `--allow-replace {address}`");
            self.hold(address, Reason::ReplaceNotGranted, message, None);
            return Standing::Settled;
        }
        let generation = live.owner().map_or(1, |o| o.generation) + 1;
        let op = match resource.schema.replace {
            Replace::DeleteFirst => Op::Delete { live: Box::new(live.clone()) },
            _ if resource.named && !resource.schema.naming.tag && live.name == resource.name => {
                let message = format!("`{forcing}` forces a replacement, and two cannot have the name `{}`; give it another `name`", live.name);
                self.hold(address, Reason::NamedReplacement, message, None);
                return Standing::Settled;
            }
            _ => {
                let name = if resource.named { resource.name.clone() } else { format!("{}-g{generation}", resource.name) };
                Op::Create(self.wanted(resource, name, &without_late(resolved), generation))
            }
        };
        let unknown = changes.iter().any(|c| c.unknown.is_some());
        let op = (!unknown).then_some(op);
        self.step(resource, Action::Replace, cause, changes, coming, op)
    }

    /// Nothing differs; what is left is to remember it, on its own tags or its parent's.
    fn record(&mut self, resource: &Resource, resolved: &Value, live: &Observed) -> Standing {
        let (kind, region, op, changes) = match resource.schema.claim {
            Claim::AtCreate => {
                let owner = live.owner();
                let set: BTreeMap<String, String> = self
                    .owner_tags(resource, owner.as_ref().map_or(1, |o| o.generation))
                    .into_iter()
                    .filter(|(key, value)| live.tags.get(key) != Some(value))
                    .collect();
                let remove: BTreeSet<String> = self.stale_tags(resource, live);
                (resource.schema.kind, resource.region.clone(), tag_op(live, set, remove), owner_changes(live))
            }
            Claim::Parent { key, .. } => {
                let parent = self.situation.parent(resource).filter(|(_, parent)| parent.owner().is_some());
                let Some((parent_address, parent)) = parent else { return self.settle(resource) };
                let child = ChildTag { digest: digest::of(resource), key: child_key(key, &live.name, resolved) };
                let tag = child_tag(&resource.address);
                let set: BTreeMap<String, String> = match parent.tags.get(&tag) == Some(&child.value()) {
                    true => BTreeMap::new(),
                    false => BTreeMap::from([(tag, child.value())]),
                };
                let parent_kind = self.document.resources.get(&parent_address).map_or("", |r| r.schema.kind);
                (parent_kind, parent.region.clone(), tag_op(parent, set, BTreeSet::new()), owner_changes(parent))
            }
        };
        let Op::Tag { set, remove, .. } = &op else { return self.settle(resource) };
        if set.is_empty() && remove.is_empty() {
            return self.settle(resource);
        }
        let moved = live.owner().is_some_and(|o| o.address != resource.address.to_string());
        let action = if moved { Action::Adopt } else { Action::Update };
        let changes = changes(set, remove);
        self.plan.steps.push(Step {
            address: resource.address.clone(),
            tier: resource.schema.tier,
            action,
            cause: Cause::Edit,
            changes,
            after: BTreeSet::new(),
            deed: Some(Deed { kind, region, op }),
        });
        // What only has to be remembered is as the document has it: nobody waits for that.
        Standing::Settled
    }

    fn settle(&mut self, resource: &Resource) -> Standing {
        debug_assert!(!resource.is_lookup());
        self.plan.unchanged += 1;
        Standing::Settled
    }

    fn differ(&mut self, resource: &Resource, cause: Cause, changes: Vec<Change>) {
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        self.plan.differences.push(Difference { address, tier, cause, changes });
    }

    fn leaves_drift(&self, resource: &Resource) -> bool {
        let drift = self.policy.drift.or(resource.lifecycle.drift).unwrap_or(self.document.policy.drift);
        drift != Drift::Mend
    }

    fn step(
        &mut self,
        resource: &Resource,
        action: Action,
        cause: Cause,
        changes: Vec<Change>,
        after: BTreeSet<Address>,
        op: Option<Op>,
    ) -> Standing {
        let deed = op.map(|op| Deed { kind: resource.schema.kind, region: resource.region.clone(), op });
        let (address, tier) = (resource.address.clone(), resource.schema.tier);
        self.plan.steps.push(Step { address, tier, action, cause, changes, after, deed });
        Standing::Coming
    }

    fn owner_tags(&self, resource: &Resource, generation: u32) -> BTreeMap<String, String> {
        let owner = Owner {
            stack: self.document.stack.clone(),
            env: self.document.env.clone(),
            address: resource.address.to_string(),
            origin: self.document.origin.clone(),
            generation,
            digest: digest::of(resource),
            retained: resource.on_delete() == OnDelete::Retain,
        };
        // AWS takes no empty values everywhere; an unknown origin is no tag.
        owner.tags().into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    fn wanted(&self, resource: &Resource, name: String, spec: &Value, generation: u32) -> Wanted {
        let mut tags = self.owner_tags(resource, generation);
        let stated = resource.spec.get("tags").and_then(Value::map).into_iter().flatten();
        tags.extend(stated.filter_map(|(k, v)| Some((k.clone(), v.text()?.to_owned()))));
        let identity = format!("{}/{}/{}#{generation}", self.document.stack, self.document.env, resource.address);
        Wanted {
            address: resource.address.to_string(),
            name,
            changed: spec.map().into_iter().flatten().map(|(k, _)| k.clone()).collect(),
            spec: spec.clone(),
            tags,
            remove_tags: BTreeSet::new(),
            token: digest::token(&identity),
        }
    }

    fn update(&self, resource: &Resource, resolved: &Value, live: &Observed, changes: &[Change]) -> Op {
        let generation = live.owner().map_or(1, |o| o.generation);
        let merged = merge(resource.schema.record, resolved, &live.spec, &resource.lifecycle.ignore);
        let merged = self.with_band(resource, merged, live, changes).without_nulls();
        let mut wanted = self.wanted(resource, live.name.clone(), &merged, generation);
        if resource.schema.naming.tag {
            wanted.tags.entry("Name".into()).or_insert_with(|| name_tag(resource, live));
        }
        wanted.changed = changes.iter().map(|c| c.field().to_owned()).collect();
        wanted.remove_tags = changes
            .iter()
            .filter(|c| c.field() == "tags" && c.to == Value::Null)
            .filter_map(|c| c.path.strip_prefix("tags.").map(str::to_owned))
            .chain(self.stale_tags(resource, live))
            .collect();
        if resource.schema.claim != Claim::AtCreate {
            wanted.tags.clear();
        }
        Op::Update { live: Box::new(live.clone()), wanted }
    }

    /// A count inside its autoscaler's band stays what it is, also when the whole spec is sent.
    fn with_band(&self, resource: &Resource, mut merged: Value, live: &Observed, changes: &[Change]) -> Value {
        for field in resource.schema.record.fields.iter().filter(|f| matches!(f.ty, Type::Scaled { .. })) {
            if let (Value::Map(map), Some(there), false) =
                (&mut merged, live.spec.get(field.name), changes.iter().any(|c| c.path == field.name))
            {
                map.insert(field.name.to_owned(), there.clone());
            }
        }
        merged
    }

    /// Tags of a parent that remember children which are in no document and live no more.
    fn stale_tags(&self, resource: &Resource, live: &Observed) -> BTreeSet<String> {
        let orphaned = |address: &Address| self.situation.orphans.iter().any(|o| o.address == *address);
        let _ = resource;
        live.tags
            .keys()
            .filter_map(|key| Some((key, key.strip_prefix(tag::CHILD)?.parse::<Address>().ok()?)))
            .filter(|(_, address)| !self.document.resources.contains_key(address) && !orphaned(address))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn tag_op(live: &Observed, set: BTreeMap<String, String>, remove: BTreeSet<String>) -> Op {
    Op::Tag { live: Box::new(live.clone()), set, remove }
}

/// Turns tags to set and remove into changes.
fn owner_changes(live: &Observed) -> impl Fn(&BTreeMap<String, String>, &BTreeSet<String>) -> Vec<Change> {
    let there = live.tags.clone();
    move |set, remove| {
        let from = |key: &String| there.get(key).map_or(Value::Null, |v| Value::Text(v.clone()));
        let set = set.iter().map(|(k, v)| change(&format!("tags.{k}"), from(k), v.clone().into()));
        let remove = remove.iter().map(|k| change(&format!("tags.{k}"), from(k), Value::Null));
        set.chain(remove).collect()
    }
}

fn change(path: &str, from: Value, to: Value) -> Change {
    Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
}

/// The name that the `Name` tag should have: that of the live generation.
fn name_tag(resource: &Resource, live: &Observed) -> String {
    match live.owner().map_or(1, |o| o.generation) {
        1 => resource.name.clone(),
        _ if resource.named => resource.name.clone(),
        generation => format!("{}-g{generation}", resource.name),
    }
}

/// The tags that the document states, and the `Name` of a kind that is named by it.
fn wanted_tags(resource: &Resource, live: &Observed) -> Value {
    let stated = resource.spec.get("tags").cloned();
    if !resource.schema.naming.tag {
        return stated.unwrap_or(user_tags(live));
    }
    let mut tags = match stated {
        Some(Value::Map(tags)) => tags,
        Some(_) => BTreeMap::new(),
        None => user_tags(live).map().cloned().unwrap_or_default(),
    };
    let named = resource.spec.at("tags.Name").is_some();
    if !named {
        tags.insert("Name".into(), Value::Text(name_tag(resource, live)));
    }
    Value::Map(tags)
}

/// The live tags that are neither ours nor AWS's own.
fn user_tags(live: &Observed) -> Value {
    let user = |key: &str| !key.starts_with(tag::PREFIX) && !key.starts_with("aws:");
    Value::Map(live.tags.iter().filter(|(k, _)| user(k)).map(|(k, v)| (k.clone(), v.clone().into())).collect())
}
