//! Resolution: replaces references and expressions in a spec by the values of live resources.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::coerce::{coerce, flat};
use crate::expression;
use crate::observed::Observed;
use crate::schema::{Presence, Record, Type};
use crate::value::{Reference, Unknown, Value};

/// The reason why a spec cannot be resolved. Waiting does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// An expression fails on the live values.
    #[error("`{expression}` cannot be evaluated: {message}")]
    Expression {
        /// The text of the expression.
        expression: String,
        /// The error.
        message: String,
    },
}

/// The resources that references and expressions can resolve to.
#[derive(Clone, Copy, Debug)]
pub struct ResolveContext<'k, 'o> {
    /// The live resources.
    pub live: &'k BTreeMap<Address, &'o Observed>,
    /// The resources that were created and not observed yet.
    pub created: &'k BTreeMap<Address, CreatedIdentity>,
}

/// The identity of a created resource, from the response to its create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedIdentity {
    /// The id.
    pub id: String,
    /// The physical name, if it is known.
    pub name: Option<String>,
}

static NOTHING_CREATED: BTreeMap<Address, CreatedIdentity> = BTreeMap::new();

impl<'k, 'o> ResolveContext<'k, 'o> {
    /// Returns a context of live resources only.
    pub fn of(live: &'k BTreeMap<Address, &'o Observed>) -> Self {
        ResolveContext { live, created: &NOTHING_CREATED }
    }
}

impl CreatedIdentity {
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(self.id.clone().into()),
            "name" => Some(self.name.clone()?.into()),
            "arn" if self.id.starts_with("arn:") => Some(self.id.clone().into()),
            _ => None,
        }
    }
}

/// Returns the spec with every reference and expression replaced by its value, or by [`Value::Unknown`] while the value
/// is not known.
///
/// A reference can resolve to a resource that was created and not observed yet. An expression reads only observed
/// resources. An attribute that a resource reads of itself is known only after its create.
///
/// # Errors
/// Returns an error when an expression fails although all resources that it reads exist.
pub fn resolve(
    own: &Address,
    record: &Record,
    spec: &Value,
    context: ResolveContext<'_, '_>,
) -> Result<Value, ResolveError> {
    match spec {
        Value::Map(map) => of_record(own, record, map, context),
        other => Ok(other.clone()),
    }
}

fn of_record(
    own: &Address,
    record: &Record,
    map: &BTreeMap<String, Value>,
    context: ResolveContext<'_, '_>,
) -> Result<Value, ResolveError> {
    let pairs = map.iter().map(|(name, value)| {
        let field = record.field(name);
        // Tags are not a field of the record. All tags are text.
        let ty = field.map_or(Type::Map(&Type::Text), |field| field.ty);
        let value = match (of_type(own, &ty, value, context)?, field.map(|field| field.presence)) {
            (Value::Null, Some(Presence::Default(default))) => default(),
            (value, _) => value,
        };
        Ok((name.clone(), value))
    });
    Ok(Value::Map(pairs.collect::<Result<_, _>>()?))
}

fn of_type(own: &Address, ty: &Type, value: &Value, context: ResolveContext<'_, '_>) -> Result<Value, ResolveError> {
    let live = context.live;
    let of_type = |ty: &Type, value: &Value| of_type(own, ty, value, context);
    Ok(match (value, ty) {
        (Value::Reference(reference), _) => referenced(reference, context),
        (Value::Deferred(deferred), _) => {
            match deferred.reads.iter().filter(|a| !live.contains_key(*a)).min_by_key(|a| *a == own) {
                Some(missing) => Value::Unknown(Unknown { waits_for: missing.clone(), after_create: missing == own }),
                None => {
                    let attributes = |address: &Address| live.get(address).map(|observed| attributes(observed));
                    let value = expression::evaluate(deferred, &attributes);
                    let value = value.map_err(|message| ResolveError::Expression {
                        expression: deferred.source.to_string(),
                        message: message.to_string(),
                    })?;
                    coerce(ty, value)
                }
            }
        }
        (Value::List(list), Type::Set(of) | Type::List(of)) => {
            let has_expression = list.iter().any(|value| matches!(value, Value::Deferred(_)));
            let list: Vec<Value> = list.iter().map(|value| of_type(of, value)).collect::<Result<_, _>>()?;
            Value::List(if has_expression { flat(of, list) } else { list })
        }
        (Value::Map(map), Type::Record(record)) => of_record(own, record, map, context)?,
        (Value::Map(map), Type::Map(of)) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.clone(), of_type(of, value)?)));
            let set = pairs.filter(|pair| !matches!(pair, Ok((_, Value::Null))));
            Value::Map(set.collect::<Result<_, _>>()?)
        }
        // A policy or other JSON can contain any structure.
        (Value::List(list), _) => Value::List(list.iter().map(|value| of_type(ty, value)).collect::<Result<_, _>>()?),
        (Value::Map(map), _) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.clone(), of_type(ty, value)?)));
            Value::Map(pairs.collect::<Result<_, _>>()?)
        }
        (other, _) => other.clone(),
    })
}

fn referenced(reference: &Reference, context: ResolveContext<'_, '_>) -> Value {
    let Reference { address, attribute, .. } = reference;
    let created = || context.created.get(address).and_then(|created| created.attribute(attribute));
    let live = context.live.get(address).map(|observed| observed.attribute(attribute));
    live.unwrap_or_else(created).unwrap_or_else(|| {
        Value::Unknown(Unknown { waits_for: reference.address.clone(), after_create: reference.after_create })
    })
}

/// Returns all attributes of a live resource that expressions can read.
fn attributes(observed: &Observed) -> Value {
    let mut all: BTreeMap<String, Value> = observed.spec.map().cloned().unwrap_or_default();
    all.extend(observed.status.map().cloned().unwrap_or_default());
    all.insert("id".into(), Value::Text(observed.id.clone()));
    all.insert("name".into(), Value::Text(observed.name.clone()));
    Value::Map(all)
}

/// Returns the spec of a create: without nulls, and without the unknown values that only the update after the create
/// needs.
///
/// An element of a set or list is left out as a whole, and so is a document such as a policy, because a part of it
/// would have another meaning.
pub fn without_after_create(record: &Record, spec: &Value) -> Value {
    let fields = spec.map().into_iter().flatten().filter(|(_, value)| **value != Value::Null);
    let kept = fields.filter_map(|(name, value)| {
        let field = record.field(name);
        let ty = field.map_or(Type::Text, |field| field.ty);
        // A document that only the update needs is left out as a whole, like a reference that only the update needs.
        let is_deferred = field.is_some_and(|field| field.after_create) && value.unknown().is_some();
        let value = if is_deferred && matches!(ty, Type::Canonical { .. }) { None } else { kept(&ty, value) };
        Some((name.clone(), value?))
    });
    Value::Map(kept.collect())
}

fn kept(ty: &Type, value: &Value) -> Option<Value> {
    let is_after_create = |value: &Value| matches!(value.unknown(), Some(Unknown { after_create: true, .. }));
    match (ty, value) {
        (Type::Record(record), Value::Map(_)) => Some(without_after_create(record, value)),
        (Type::Set(_) | Type::List(_), Value::List(list)) => {
            Some(Value::List(list.iter().filter(|v| !is_after_create(v)).cloned().collect()))
        }
        (Type::Map(_), Value::Map(map)) => Some(Value::Map(
            map.iter().filter(|(_, v)| !is_after_create(v)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        )),
        _ => (!is_after_create(value)).then(|| value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Spec;
    use crate::observed::{Opaque, Phase};
    use crate::schema::Spec as _;
    use crate::value::Deferred;

    #[derive(Serialize, Deserialize, Spec)]
    struct ResolveSample {
        /// Parts in order.
        parts: Option<Vec<ResolvePart>>,
        /// Words in any order.
        words: Option<std::collections::BTreeSet<String>>,
        /// Parts by name.
        named: Option<BTreeMap<String, ResolvePart>>,
        /// One part.
        part: Option<ResolvePart>,
    }

    #[derive(PartialEq, Serialize, Deserialize, Spec)]
    struct ResolvePart {
        /// A word.
        word: Option<String>,
        /// A number.
        #[serde(default = "seven")]
        number: i64,
    }

    fn seven() -> i64 {
        7
    }

    /// Checks the resolved spec while `Vpc/main` exists with the id `vpc-1`.
    fn check(spec: Value, expect: Expect) {
        let (own, main) = (Address::new("ResolveSample", "x"), Address::new("Vpc", "main"));
        let (spec_of_main, status) = (Value::Null, Value::Null);
        let observed = Observed {
            region: String::new(),
            id: "vpc-1".into(),
            name: String::new(),
            spec: spec_of_main,
            status,
            phase: Phase::Ready,
            conditions: vec![],
            tags: BTreeMap::new(),
            scheduled: Default::default(),
            bound: false,
            opaque: Opaque::default(),
        };
        let live = BTreeMap::from([(main, &observed)]);
        let resolved = resolve(&own, &ResolveSample::RECORD, &spec, ResolveContext::of(&live)).expect("it resolves");
        expect.assert_eq(&resolved.json().to_string());
    }

    fn expression(source: &str) -> Value {
        let reads = vec![Address::new("Vpc", "main")];
        Value::Deferred(Arc::new(Deferred {
            source: source.into(),
            reads,
            bindings: BTreeMap::new(),
            component: String::new(),
        }))
    }

    #[test]
    fn the_result_of_an_expression_has_the_type_of_its_field() {
        check(
            [("parts", expression("${[{'word': Vpc.main.id}, {'word': 'b', 'number': 1}]}"))].into(),
            expect![[r#"{"parts":[{"number":7,"word":"vpc-1"},{"number":1,"word":"b"}]}"#]],
        );
        check(
            [
                ("named", expression("${{'a': {'word': Vpc.main.id}, 'b': null}}")),
                ("part", expression("${{'word': Vpc.main.id == '' ? null : 5}}")),
            ]
            .into(),
            expect![[r#"{"named":{"a":{"number":7,"word":"vpc-1"}},"part":{"number":7,"word":"5"}}"#]],
        );
    }

    #[test]
    fn a_list_from_an_expression_in_a_list_is_flattened() {
        let stated = Value::from([("word", Value::from("a")), ("number", 2.into())]);
        check(
            [(
                "parts",
                Value::List(vec![
                    stated,
                    expression("${[{'word': Vpc.main.id}]}"),
                    expression("${Vpc.main.id == '' ? {} : null}"),
                ]),
            )]
            .into(),
            expect![[r#"{"parts":[{"number":2,"word":"a"},{"number":7,"word":"vpc-1"}]}"#]],
        );
        check(
            [("words", Value::List(vec!["a".into(), expression("${[Vpc.main.id, 'b']}")]))].into(),
            expect![[r#"{"words":["a","vpc-1","b"]}"#]],
        );
    }

    #[test]
    fn a_null_from_an_expression_removes_the_entry_of_a_map() {
        let entry = |value| Value::Map(BTreeMap::from([("a".to_owned(), value)]));
        let part = Value::from([("word", Value::Null), ("number", expression("${Vpc.main.id == '' ? 1 : null}"))]);
        check(
            [("named", entry(expression("${Vpc.main.id == '' ? {} : null}"))), ("part", part)].into(),
            expect![[r#"{"named":{},"part":{"number":7,"word":null}}"#]],
        );
    }
}
