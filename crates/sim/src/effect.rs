//! What calls do: the rules that AWS keeps, kept for every kind alike.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::graph::live_references;
use holdfast_core::observed::{Observed, Phase};
use holdfast_core::schema::{CreateClass, Replace, Schema};
use holdfast_core::value::Value;
use holdfast_engine::cloud::{Class, Done, Failure, Op, Wanted};
use tokio::time::Instant;

use crate::account::{Thing, Version};
use crate::sim::{Sim, State, failure};

/// Until AWS's maintenance window.
const WINDOW: Duration = Duration::from_secs(86_400);

impl Sim {
    /// Does it, or says why not.
    pub(crate) fn effect(
        &self,
        schema: &'static Schema,
        region: &str,
        op: &Op,
        operation: &str,
    ) -> Result<Done, Failure> {
        let now = Instant::now();
        let mut state = self.lock();
        let id = match op {
            Op::Create(wanted) => self.create(&mut state, schema, region, wanted, operation, now)?,
            Op::Update { live, wanted } => {
                self.update(&mut state, schema, live, wanted, operation, now)?;
                live.id.clone()
            }
            Op::Delete { live } => {
                self.delete(&mut state, schema, live, operation, now)?;
                live.id.clone()
            }
            Op::Tag { live, set, remove } => {
                tag(&mut state, schema, live, set, remove, operation, now)?;
                live.id.clone()
            }
        };
        state.log.push(format!("{operation} {id}"));
        let tells = self.behaviour(schema.kind).tells;
        let live = tells.then(|| self.there(&state, schema, region, &id, now)).flatten();
        Ok(Done { id: matches!(op, Op::Create(_)).then_some(id), live })
    }

    fn create(
        &self,
        state: &mut State,
        schema: &'static Schema,
        region: &str,
        wanted: &Wanted,
        operation: &str,
        now: Instant,
    ) -> Result<String, Failure> {
        complete(wanted, operation)?;
        present(state, schema, &wanted.spec, operation, now)?;
        let behaviour = self.behaviour(schema.kind);
        let alive = |t: &&Thing| t.schema.kind == schema.kind && t.region == region && t.at(now).is_some();
        if schema.class == CreateClass::Token
            && let Some(made) = state.things.iter().find(|t| t.schema.kind == schema.kind && t.token == wanted.token)
        {
            return Ok(made.id.clone());
        }
        let key = schema.claim.identity();
        let is_same = |v: &Version| match key {
            [] => v.name == wanted.name,
            key => key.iter().all(|field| v.spec.get(field) == wanted.spec.get(field)),
        };
        let same = state.things.iter().filter(alive).filter(|t| t.at(now).is_some_and(is_same));
        if schema.class == CreateClass::Name && same.count() > 0 {
            let message = format!("there is a {} named {} already", schema.kind, wanted.name);
            return Err(failure(operation, Class::NotYet, false, &format!("{}AlreadyExists", schema.kind), message));
        }
        let revision = match schema.replace {
            Replace::Revision { .. } => state.next(&format!("{} {}", schema.kind, wanted.name)),
            _ => 0,
        };
        let id = match behaviour.prefix {
            // A revision's id is its ARN, as in ECS.
            _ if revision > 0 => {
                format!("arn:aws:sim:{region}:123456789012:{}/{}:{revision}", schema.kind.to_lowercase(), wanted.name)
            }
            "" => wanted.name.clone(),
            prefix => format!("{prefix}-{}", state.next(schema.kind)),
        };
        let mut spec = wanted.spec.map().cloned().unwrap_or_default();
        spec.retain(|field, _| field != "tags" && !behaviour.not_at_create.contains(&field.as_str()));
        for (field, default) in behaviour.defaults {
            spec.entry((*field).to_owned()).or_insert_with(default);
        }
        let mut tags = wanted.tags.clone();
        if schema.naming.tag {
            tags.insert("Name".into(), wanted.name.clone());
        }
        if !schema.claim.is_own() {
            tags.clear();
        }
        let version = Version {
            at: now,
            name: wanted.name.clone(),
            spec: Value::Map(spec),
            tags,
            ready: now + behaviour.pending,
            updating: now,
            gone: None,
            scheduled: BTreeSet::new(),
            failed: false,
        };
        let mut thing = Thing::new(schema, region, id.clone(), version);
        thing.token = wanted.token.clone();
        thing.revision = i64::try_from(revision).unwrap_or_default();
        state.things.push(thing);
        Ok(id)
    }

    fn update(
        &self,
        state: &mut State,
        schema: &'static Schema,
        live: &Observed,
        wanted: &Wanted,
        operation: &str,
        now: Instant,
    ) -> Result<(), Failure> {
        complete(wanted, operation)?;
        present(state, schema, &wanted.spec, operation, now)?;
        let behaviour = self.behaviour(schema.kind);
        let thing = state.find(schema, &live.id, operation, now)?;
        takes_changes(thing, operation, now)?;
        let fixed = wanted.changed.iter().find(|c| schema.record.field(c).is_some_and(|f| f.immutable));
        if let Some(fixed) = fixed {
            return Err(failure(
                operation,
                Class::Terminal,
                false,
                "InvalidParameter",
                format!("{fixed} cannot be changed"),
            ));
        }
        let changed: BTreeSet<&String> = wanted.changed.iter().filter(|c| *c != "tags").collect();
        let later: BTreeSet<String> =
            changed.iter().filter(|c| behaviour.later.contains(&c.as_str())).map(|c| (*c).clone()).collect();
        let value = |field: &str| {
            let default = || behaviour.defaults.iter().find(|(f, _)| *f == field).map(|(_, default)| default());
            wanted.spec.get(field).cloned().or_else(default).unwrap_or_default()
        };
        thing.change(now, |version| {
            for field in changed.iter().filter(|c| !later.contains(**c)) {
                put(&mut version.spec, field, value(field));
            }
            version.scheduled.extend(later.iter().cloned());
            if schema.claim.is_own() {
                version.tags.extend(wanted.tags.clone());
                version.tags.retain(|key, _| !wanted.remove_tags.contains(key));
            }
            rename(schema, version);
            if !changed.is_empty() {
                version.updating = now + behaviour.updating;
            }
        });
        if !later.is_empty() {
            thing.add(now + WINDOW, |version| {
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
        // That it is gone already is a success, as in the AWS drivers.
        let Ok(thing) = state.find(schema, &live.id, operation, now) else { return Ok(()) };
        if thing.at(now).is_some_and(|v| v.phase(now) == Phase::Updating) {
            takes_changes(thing, operation, now)?;
        }
        // As the driver of security groups does: what names others goes first, so that two can go one after the other.
        let (freed, identities) =
            (without_late(schema, thing, now), [thing.id.clone(), thing.arn(), live.name.clone()]);
        thing.change(now, |version| version.spec = freed);
        // What a revision names may go: it is only a description of what could run.
        let holds = |other: &&Thing| {
            let revision = matches!(other.schema.replace, Replace::Revision { .. });
            other.id != live.id && !revision && !other.is_child_of(&live.id, now)
        };
        let users: Vec<String> = state
            .things
            .iter()
            .filter(holds)
            .filter_map(|other| Some((other, other.at(now).filter(|v| v.gone.is_none())?)))
            .filter(|(other, version)| {
                let references = live_references(other.schema.record, &version.spec);
                references.iter().any(|(kind, identity)| *kind == schema.kind && identities.contains(identity))
            })
            .map(|(other, _)| other.id.clone())
            .collect();
        if !users.is_empty() && !behaviour.loose {
            let message = format!("{} is in use by {}", live.id, users.join(", "));
            return Err(failure(operation, Class::NotYet, false, "DependencyViolation", message));
        }
        for child in state.things.iter_mut().filter(|t| t.is_child_of(&live.id, now)) {
            child.change(now, |version| version.gone = Some(now));
        }
        state
            .find(schema, &live.id, operation, now)?
            .change(now, |version| version.gone = Some(now + behaviour.deleting));
        Ok(())
    }

    /// Puts back what an update changed, later.
    pub(crate) fn undo(&self, op: &Op, later: Duration) {
        if let Op::Update { live, wanted } = op {
            let mut state = self.lock();
            for thing in state.things.iter_mut().filter(|t| t.id == live.id) {
                thing.add(Instant::now() + later, |version| {
                    for field in &wanted.changed {
                        put(&mut version.spec, field, live.spec.get(field).cloned().unwrap_or_default());
                    }
                });
            }
        }
    }
}

impl State {
    pub(crate) fn next(&mut self, of: &str) -> u64 {
        let number = self.numbers.entry(of.to_owned()).or_default();
        *number += 1;
        *number
    }

    pub(crate) fn find(
        &mut self,
        schema: &Schema,
        id: &str,
        operation: &str,
        now: Instant,
    ) -> Result<&mut Thing, Failure> {
        let there = self.things.iter_mut().find(|t| t.schema.kind == schema.kind && t.id == id && t.at(now).is_some());
        there.ok_or_else(|| {
            failure(
                operation,
                Class::NotYet,
                false,
                &format!("Invalid{}.NotFound", schema.kind),
                format!("there is no {id}"),
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
    if !schema.claim.is_own() {
        return Err(Failure::terminal(operation, "this kind has no tags"));
    }
    let thing = state.find(schema, &live.id, operation, now)?;
    if thing.at(now).is_some_and(|v| v.phase(now) == Phase::Updating) {
        takes_changes(thing, operation, now)?;
    }
    thing.change(now, |version| {
        version.tags.extend(set.clone());
        version.tags.retain(|key, _| !remove.contains(key));
        rename(schema, version);
    });
    Ok(())
}

/// What AWS is at work on refuses changes.
fn takes_changes(thing: &Thing, operation: &str, now: Instant) -> Result<(), Failure> {
    match thing.at(now).map_or(Phase::Deleting, |v| v.phase(now)) {
        Phase::Ready => Ok(()),
        phase => {
            let message = format!("{} is {phase}", thing.id);
            Err(failure(operation, Class::NotYet, false, "IncorrectState", message))
        }
    }
}

/// Nothing may be left open when a call is made.
fn complete(wanted: &Wanted, operation: &str) -> Result<(), Failure> {
    let mut open = None;
    wanted.spec.walk(&mut |value| {
        if matches!(value, Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_)) {
            open = Some(value.to_string());
        }
    });
    match open {
        Some(open) => Err(Failure::terminal(operation, format!("the spec was sent with {open} in it"))),
        None => Ok(()),
    }
}

/// What is referred to has to be there.
fn present(state: &State, schema: &'static Schema, spec: &Value, operation: &str, now: Instant) -> Result<(), Failure> {
    for (kind, identity) in live_references(schema.record, spec) {
        let there = state.things.iter().any(|t| t.schema.kind == kind && t.is(&identity, now) && t.at(now).is_some());
        if !there {
            let code = format!("Invalid{kind}.NotFound");
            return Err(failure(operation, Class::NotYet, false, &code, format!("there is no {kind} {identity}")));
        }
    }
    Ok(())
}

fn put(spec: &mut Value, field: &str, value: Value) {
    if let Value::Map(map) = spec {
        map.insert(field.to_owned(), value);
    }
}

/// The name of what is named by its tag.
fn rename(schema: &Schema, version: &mut Version) {
    if schema.naming.tag {
        version.name = version.tags.get("Name").cloned().unwrap_or_default();
    }
}

/// The spec without the elements that name other resources late.
fn without_late(schema: &Schema, thing: &Thing, now: Instant) -> Value {
    let Some(Value::Map(mut spec)) = thing.at(now).map(|v| v.spec.clone()) else { return Value::Null };
    for (name, value) in &mut spec {
        let Some(field) = schema.record.field(name) else { continue };
        let mut late = false;
        mark_late(&field.ty, &mut late);
        if let (true, Value::List(list)) = (late, value) {
            list.retain(|item| {
                let named =
                    live_references(schema.record, &Value::from([(name.clone(), Value::List(vec![item.clone()]))]));
                named.iter().all(|(_, identity)| *identity == thing.id)
            });
        }
    }
    Value::Map(spec)
}

fn mark_late(ty: &holdfast_core::schema::Type, late: &mut bool) {
    use holdfast_core::schema::Type;
    match ty {
        Type::Reference { late: is, .. } => *late |= is,
        Type::Set(of) | Type::List(of) | Type::Map(of) => mark_late(of, late),
        Type::Record(record) => record.fields.iter().for_each(|f| mark_late(&f.ty, late)),
        _ => {}
    }
}
