//! The effects of calls, according to the rules of AWS, for all kinds alike.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::graph::{can_refer, live_references};
use holdfast_core::observed::{Observed, Phase};
use holdfast_core::schema::{Idempotency, Replacement, Schema, Type};
use holdfast_core::value::Value;
use holdfast_engine::cloud::{DesiredResource, Failure, FailureClass, Mutation, OperationResult};
use tokio::time::Instant;

use crate::account::{ResourceVersion, SimResource};
use crate::sim::{Sim, State, failure};

/// The time until AWS's maintenance window.
const MAINTENANCE_DELAY: Duration = Duration::from_secs(86_400);

impl Sim {
    /// Carries out a mutation, or returns its failure.
    pub(crate) fn effect(
        &self,
        schema: &'static Schema,
        region: &str,
        mutation: &Mutation,
        operation: &str,
    ) -> Result<OperationResult, Failure> {
        let now = Instant::now();
        let mut state = self.lock();
        let id = match mutation {
            Mutation::Create(desired) => self.create(&mut state, schema, region, desired, operation, now)?,
            Mutation::Update { live, desired } => {
                self.update(&mut state, schema, live, desired, operation, now)?;
                live.id.clone()
            }
            Mutation::Delete { live } => {
                self.delete(&mut state, schema, live, operation, now)?;
                live.id.clone()
            }
            Mutation::Tag { live, set, remove } => {
                tag(&mut state, schema, live, set, remove, operation, now)?;
                live.id.clone()
            }
        };
        state.log.push(format!("{operation} {id}"));
        let full_response = self.behaviour(schema.kind).full_response;
        let live = full_response.then(|| self.response(&state, schema, region, &id, now)).flatten();
        Ok(OperationResult { id: matches!(mutation, Mutation::Create(_)).then_some(id), live })
    }

    fn create(
        &self,
        state: &mut State,
        schema: &'static Schema,
        region: &str,
        desired: &DesiredResource,
        operation: &str,
        now: Instant,
    ) -> Result<String, Failure> {
        check_complete(desired, operation)?;
        check_references(state, schema, &desired.spec, operation, now)?;
        let behaviour = self.behaviour(schema.kind);
        let exists = |r: &&SimResource| r.schema.kind == schema.kind && r.region == region && r.at(now).is_some();
        let has_token = |r: &&SimResource| r.schema.kind == schema.kind && r.token == desired.token;
        if schema.idempotency == Idempotency::ClientToken
            && let Some(created) = state.resources.iter().find(has_token)
        {
            return Ok(created.id.clone());
        }
        let key = schema.ownership.identity();
        let is_same = |v: &ResourceVersion| match key {
            [] => v.name == desired.name,
            key => key.iter().all(|field| v.spec.get(field) == desired.spec.get(field)),
        };
        let same = state.resources.iter().filter(exists).filter(|r| r.at(now).is_some_and(is_same));
        if schema.idempotency == Idempotency::UniqueName && same.count() > 0 {
            let message = format!("a {} named {} exists already", schema.kind, desired.name);
            return Err(failure(
                operation,
                FailureClass::NotYet,
                false,
                &format!("{}AlreadyExists", schema.kind),
                message,
            ));
        }
        check_unique(state, schema, region, "", &desired.spec, operation, now)?;
        let revision = match schema.replacement {
            Replacement::Revision { .. } => state.next(&format!("{} {}", schema.kind, desired.name)),
            _ => 0,
        };
        let id = match behaviour.prefix {
            // A revision's id is its ARN, as in ECS.
            _ if revision > 0 => {
                format!("arn:aws:sim:{region}:123456789012:{}/{}:{revision}", schema.kind.to_lowercase(), desired.name)
            }
            "" => desired.name.clone(),
            prefix => format!("{prefix}-{}", state.next(schema.kind)),
        };
        let mut spec = desired.spec.map().cloned().unwrap_or_default();
        spec.retain(|field, _| field != "tags" && !behaviour.not_at_create.contains(&field.as_str()));
        for (field, default) in behaviour.defaults {
            spec.entry((*field).to_owned()).or_insert_with(default);
        }
        let mut tags = desired.tags.clone();
        if schema.naming.tag {
            tags.insert("Name".into(), desired.name.clone());
        }
        if !schema.ownership.is_own() {
            tags.clear();
        }
        let version = ResourceVersion {
            at: now,
            name: desired.name.clone(),
            spec: Value::Map(spec),
            tags,
            ready: now + behaviour.pending,
            updating: now,
            deleted_at: None,
            scheduled: BTreeSet::new(),
            failed: false,
        };
        let mut resource = SimResource::new(schema, region, id.clone(), version);
        resource.token = desired.token.clone();
        resource.revision = i64::try_from(revision).unwrap_or_default();
        state.resources.push(resource);
        Ok(id)
    }

    fn update(
        &self,
        state: &mut State,
        schema: &'static Schema,
        live: &Observed,
        desired: &DesiredResource,
        operation: &str,
        now: Instant,
    ) -> Result<(), Failure> {
        check_complete(desired, operation)?;
        check_references(state, schema, &desired.spec, operation, now)?;
        let behaviour = self.behaviour(schema.kind);
        check_unique(state, schema, &live.region, &live.id, &desired.spec, operation, now)?;
        let resource = state.find(schema, &live.id, operation, now)?;
        check_ready(resource, operation, now)?;
        let immutable = desired.changed.iter().find(|c| schema.record.field(c).is_some_and(|f| f.immutable));
        if let Some(immutable) = immutable {
            return Err(failure(
                operation,
                FailureClass::Terminal,
                false,
                "InvalidParameter",
                format!("{immutable} cannot be changed"),
            ));
        }
        let changed: BTreeSet<&String> = desired.changed.iter().filter(|c| *c != "tags").collect();
        let in_window = |field: &str| behaviour.in_maintenance_window.contains(&field);
        let later: BTreeSet<String> = changed.iter().filter(|c| in_window(c)).map(|c| (*c).clone()).collect();
        let value = |field: &str| {
            let default = || behaviour.defaults.iter().find(|(f, _)| *f == field).map(|(_, default)| default());
            desired.spec.get(field).cloned().or_else(default).unwrap_or_default()
        };
        resource.change(now, |version| {
            for field in changed.iter().filter(|c| !later.contains(**c)) {
                put(&mut version.spec, field, value(field));
            }
            version.scheduled.extend(later.iter().cloned());
            if schema.ownership.is_own() {
                version.tags.extend(desired.tags.clone());
                version.tags.retain(|key, _| !desired.remove_tags.contains(key));
            }
            rename(schema, version);
            if !changed.is_empty() {
                version.updating = now + behaviour.updating;
            }
        });
        if !later.is_empty() {
            resource.add(now + MAINTENANCE_DELAY, |version| {
                for field in &later {
                    put(&mut version.spec, field, value(field));
                }
                version.scheduled.clear();
            });
        }
        Ok(())
    }

    fn delete(
        &self,
        state: &mut State,
        schema: &'static Schema,
        live: &Observed,
        operation: &str,
        now: Instant,
    ) -> Result<(), Failure> {
        let behaviour = self.behaviour(schema.kind);
        // A resource that does not exist counts as deleted, as in the AWS drivers.
        let Ok(resource) = state.find(schema, &live.id, operation, now) else { return Ok(()) };
        if resource.at(now).is_some_and(|v| v.phase(now) == Phase::Updating) {
            check_ready(resource, operation, now)?;
        }
        let is_protected = |path| resource.at(now).is_some_and(|v| v.spec.at(path) == Some(&Value::Bool(true)));
        if schema.deletion_protection.is_some_and(is_protected) {
            let message = format!("{} has deletion protection", live.id);
            return Err(failure(operation, FailureClass::Terminal, false, "OperationNotPermitted", message));
        }
        // The references to other resources are removed first, as the driver of security groups does, so that two
        // resources that refer to each other can be deleted one after the other.
        let spec = without_after_create(schema, resource, now);
        let identities = [resource.id.clone(), resource.arn(), live.name.clone()];
        resource.change(now, |version| version.spec = spec);
        // A revision is only a description. It does not prevent the deletion of the resources that it names.
        let prevents_deletion = |other: &&SimResource| {
            if !can_refer(other.schema.record, schema.kind) {
                return false;
            }
            let is_revision = matches!(other.schema.replacement, Replacement::Revision { .. });
            other.id != live.id && !is_revision && !other.is_child_of(&live.id, now)
        };
        let users: Vec<String> = state
            .resources
            .iter()
            .filter(prevents_deletion)
            .filter_map(|other| Some((other, other.at(now).filter(|v| v.deleted_at.is_none())?)))
            .filter(|(other, version)| {
                let references = live_references(other.schema.record, &version.spec);
                references
                    .iter()
                    .any(|(kind, identity)| *kind == schema.kind && identities.iter().any(|i| i == identity))
            })
            .map(|(other, _)| other.id.clone())
            .collect();
        if !users.is_empty() && !behaviour.deletable_in_use {
            let message = format!("{} is in use by {}", live.id, users.join(", "));
            return Err(failure(operation, FailureClass::InUse, false, "DependencyViolation", message));
        }
        for child in state.resources.iter_mut().filter(|r| r.is_child_of(&live.id, now)) {
            child.change(now, |version| version.deleted_at = Some(now));
        }
        state
            .find(schema, &live.id, operation, now)?
            .change(now, |version| version.deleted_at = Some(now + behaviour.deleting));
        Ok(())
    }

    /// Undoes an update after this time.
    pub(crate) fn undo(&self, mutation: &Mutation, later: Duration) {
        if let Mutation::Update { live, desired } = mutation {
            let mut state = self.lock();
            for resource in state.resources.iter_mut().filter(|r| r.id == live.id) {
                resource.add(Instant::now() + later, |version| {
                    for field in &desired.changed {
                        put(&mut version.spec, field, live.spec.get(field).cloned().unwrap_or_default());
                    }
                });
            }
        }
    }
}

impl State {
    /// Returns the next number of a kind or family, from 1.
    pub(crate) fn next(&mut self, of: &str) -> u64 {
        let number = self.numbers.entry(of.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// Returns an existing resource.
    pub(crate) fn find(
        &mut self,
        schema: &Schema,
        id: &str,
        operation: &str,
        now: Instant,
    ) -> Result<&mut SimResource, Failure> {
        let is_meant = |r: &&mut SimResource| r.schema.kind == schema.kind && r.id == id && r.at(now).is_some();
        self.resources.iter_mut().find(is_meant).ok_or_else(|| {
            failure(
                operation,
                FailureClass::NotYet,
                false,
                &format!("Invalid{}.NotFound", schema.kind),
                format!("{id} does not exist"),
            )
        })
    }
}

fn tag(
    state: &mut State,
    schema: &'static Schema,
    live: &Observed,
    set: &BTreeMap<String, String>,
    remove: &BTreeSet<String>,
    operation: &str,
    now: Instant,
) -> Result<(), Failure> {
    if !schema.ownership.is_own() {
        return Err(Failure::terminal(operation, "this kind has no tags"));
    }
    let resource = state.find(schema, &live.id, operation, now)?;
    if resource.at(now).is_some_and(|v| v.phase(now) == Phase::Updating) {
        check_ready(resource, operation, now)?;
    }
    resource.change(now, |version| {
        version.tags.extend(set.clone());
        version.tags.retain(|key, _| !remove.contains(key));
        rename(schema, version);
    });
    Ok(())
}

/// Refuses the change of a resource that AWS is creating, changing or deleting.
fn check_ready(resource: &SimResource, operation: &str, now: Instant) -> Result<(), Failure> {
    match resource.at(now).map_or(Phase::Deleting, |v| v.phase(now)) {
        Phase::Ready => Ok(()),
        phase => {
            let message = format!("{} is {phase}", resource.id);
            Err(failure(operation, FailureClass::NotYet, false, "IncorrectState", message))
        }
    }
}

/// Refuses a spec with references, expressions or unknown values in it.
fn check_complete(desired: &DesiredResource, operation: &str) -> Result<(), Failure> {
    let mut unresolved = None;
    desired.spec.walk(&mut |value| {
        if matches!(value, Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_)) {
            unresolved = Some(value.to_string());
        }
    });
    match unresolved {
        Some(value) => Err(Failure::terminal(operation, format!("the spec contains the unresolved value {value}"))),
        None => Ok(()),
    }
}

/// Refuses a spec that refers to a resource that does not exist.
fn check_references(
    state: &State,
    schema: &'static Schema,
    spec: &Value,
    operation: &str,
    now: Instant,
) -> Result<(), Failure> {
    for (kind, identity) in live_references(schema.record, spec) {
        let is_meant = |r: &SimResource| r.schema.kind == kind && r.has_identity(identity, now) && r.at(now).is_some();
        if !state.resources.iter().any(is_meant) {
            let code = format!("Invalid{kind}.NotFound");
            return Err(failure(
                operation,
                FailureClass::NotYet,
                false,
                &code,
                format!("{kind} {identity} does not exist"),
            ));
        }
    }
    Ok(())
}

/// Refuses unique values that another resource has.
fn check_unique(
    state: &State,
    schema: &'static Schema,
    region: &str,
    id: &str,
    spec: &Value,
    operation: &str,
    now: Instant,
) -> Result<(), Failure> {
    let others = state.resources.iter().filter(|r| r.schema.kind == schema.kind && r.region == region && r.id != id);
    for other in others.filter_map(|other| other.at(now)) {
        let has_same = |field: &&str| spec.get(field).is_some_and(|value| other.spec.get(field) == Some(value));
        if schema.unique.iter().any(|fields| fields.iter().all(has_same)) {
            let message = format!("the values are in use by {}", other.name);
            return Err(failure(operation, FailureClass::NotYet, false, &format!("Duplicate{}", schema.kind), message));
        }
    }
    Ok(())
}

fn put(spec: &mut Value, field: &str, value: Value) {
    if let Value::Map(map) = spec {
        map.insert(field.to_owned(), value);
    }
}

/// Sets the name of a resource from its `Name` tag, if the kind is named by the tag.
fn rename(schema: &Schema, version: &mut ResourceVersion) {
    if schema.naming.tag {
        version.name = version.tags.get("Name").cloned().unwrap_or_default();
    }
}

/// Returns the spec without the list elements that refer to other resources by references that only an update needs.
fn without_after_create(schema: &Schema, resource: &SimResource, now: Instant) -> Value {
    let Some(Value::Map(mut spec)) = resource.at(now).map(|v| v.spec.clone()) else { return Value::Null };
    for (name, value) in &mut spec {
        let Some(field) = schema.record.field(name) else { continue };
        if let (true, Value::List(list)) = (has_after_create(&field.ty), value) {
            list.retain(|item| {
                let item_spec = Value::from([(name.clone(), Value::List(vec![item.clone()]))]);
                let references = live_references(schema.record, &item_spec);
                references.iter().all(|(_, identity)| *identity == resource.id)
            });
        }
    }
    Value::Map(spec)
}

/// True when a type contains a reference that only an update needs.
fn has_after_create(ty: &Type) -> bool {
    match ty {
        Type::Reference { after_create, .. } => *after_create,
        Type::Set(of) | Type::List(of) | Type::Map(of) => has_after_create(of),
        Type::Record(record) => record.fields.iter().any(|f| has_after_create(&f.ty)),
        _ => false,
    }
}
