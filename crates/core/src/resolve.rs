//! References and templates, replaced by what the resources they mean really are.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::expression;
use crate::fit::{fit, flat};
use crate::observed::Observed;
use crate::schema::{Presence, Record, Type};
use crate::value::{Reference, Unknown, Value};

/// Why a spec cannot be resolved, and no waiting would help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// An expression that fails on what is really there.
    #[error("`{expression}` cannot be worked out: {message}")]
    Expression {
        /// Its text.
        expression: String,
        /// Why.
        message: String,
    },
}

/// What references and templates can be replaced by.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k, 'o> {
    /// What is live.
    pub live: &'k BTreeMap<Address, &'o Observed>,
    /// What was made and not seen yet.
    pub made: &'k BTreeMap<Address, Made>,
}

/// What is known of a resource from the answer to its create alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// Its physical name, where that is known.
    pub name: Option<String>,
}

static NOTHING_MADE: BTreeMap<Address, Made> = BTreeMap::new();

impl<'k, 'o> Known<'k, 'o> {
    /// What is live, and nothing else.
    pub fn of(live: &'k BTreeMap<Address, &'o Observed>) -> Self {
        Known { live, made: &NOTHING_MADE }
    }
}

impl Made {
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(self.id.clone().into()),
            "name" => Some(self.name.clone()?.into()),
            "arn" if self.id.starts_with("arn:") => Some(self.id.clone().into()),
            _ => None,
        }
    }
}

/// The spec with every reference and template replaced; by [`Value::Unknown`] where nothing is known yet. A reference
/// can be to what was made and not seen yet; an expression reads only what was seen.
///
/// What a resource reads of itself is late: it can only be known once it is there.
///
/// # Errors
/// When an expression fails although all that it reads is there.
pub fn resolve(own: &Address, record: &Record, spec: &Value, known: Known<'_, '_>) -> Result<Value, ResolveError> {
    match spec {
        Value::Map(map) => of_record(own, record, map, known),
        other => Ok(other.clone()),
    }
}

fn of_record(
    own: &Address,
    record: &Record,
    map: &BTreeMap<String, Value>,
    known: Known<'_, '_>,
) -> Result<Value, ResolveError> {
    let pairs = map.iter().map(|(name, value)| {
        let field = record.field(name);
        // Tags are no field of the record, and all text.
        let ty = field.map_or(Type::Map(&Type::Text), |field| field.ty);
        let value = match (of_type(own, &ty, value, known)?, field.map(|field| field.presence)) {
            (Value::Null, Some(Presence::Default(default))) => default(),
            (value, _) => value,
        };
        Ok((name.clone(), value))
    });
    Ok(Value::Map(pairs.collect::<Result<_, _>>()?))
}

fn of_type(own: &Address, ty: &Type, value: &Value, known: Known<'_, '_>) -> Result<Value, ResolveError> {
    let live = known.live;
    let of_type = |ty: &Type, value: &Value| of_type(own, ty, value, known);
    Ok(match (value, ty) {
        (Value::Reference(reference), _) => referred(reference, known),
        (Value::Deferred(deferred), _) => {
            match deferred.reads.iter().filter(|a| !live.contains_key(*a)).min_by_key(|a| *a == own) {
                Some(missing) => Value::Unknown(Unknown { waits_for: missing.clone(), late: missing == own }),
                None => {
                    let attributes = |address: &Address| live.get(address).map(|observed| attributes(observed));
                    let value = expression::evaluate(deferred, &attributes);
                    let value = value.map_err(|message| ResolveError::Expression {
                        expression: deferred.source.clone(),
                        message: message.to_string(),
                    })?;
                    fit(ty, value)
                }
            }
        }
        (Value::List(list), Type::Set(of) | Type::List(of)) => {
            let late = list.iter().any(|value| matches!(value, Value::Deferred(_)));
            let list: Vec<Value> = list.iter().map(|value| of_type(of, value)).collect::<Result<_, _>>()?;
            Value::List(if late { flat(of, list) } else { list })
        }
        (Value::Map(map), Type::Record(record)) => of_record(own, record, map, known)?,
        (Value::Map(map), Type::Map(of)) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.clone(), of_type(of, value)?)));
            let stated = pairs.filter(|pair| !matches!(pair, Ok((_, Value::Null))));
            Value::Map(stated.collect::<Result<_, _>>()?)
        }
        // Inside a policy or other JSON anything may stand, as it is.
        (Value::List(list), _) => Value::List(list.iter().map(|value| of_type(ty, value)).collect::<Result<_, _>>()?),
        (Value::Map(map), _) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.clone(), of_type(ty, value)?)));
            Value::Map(pairs.collect::<Result<_, _>>()?)
        }
        (other, _) => other.clone(),
    })
}

fn referred(reference: &Reference, known: Known<'_, '_>) -> Value {
    let Reference { address, attribute, .. } = reference;
    let seen = known.live.get(address).map(|observed| observed.attribute(attribute));
    seen.unwrap_or_else(|| known.made.get(address).and_then(|made| made.attribute(attribute)))
        .unwrap_or_else(|| Value::Unknown(Unknown { waits_for: reference.address.clone(), late: reference.late }))
}

/// Everything that expressions can read of a live resource.
fn attributes(observed: &Observed) -> Value {
    let mut all: BTreeMap<String, Value> = observed.spec.map().cloned().unwrap_or_default();
    all.extend(observed.status.map().cloned().unwrap_or_default());
    all.insert("id".into(), Value::Text(observed.id.clone()));
    all.insert("name".into(), Value::Text(observed.name.clone()));
    Value::Map(all)
}

/// The spec of a create: without what only the update needs and is not known yet, and without nulls.
///
/// An element of a set or list goes as a whole, and so does a document such as a policy: half of
/// either would mean something else.
pub fn without_late(record: &Record, spec: &Value) -> Value {
    let fields = spec.map().into_iter().flatten().filter(|(_, value)| **value != Value::Null);
    let kept = fields.filter_map(|(name, value)| {
        let field = record.field(name);
        let ty = field.map_or(Type::Text, |field| field.ty);
        // A late document goes as a whole, like a late reference.
        let waits = field.is_some_and(|field| field.late) && value.unknown().is_some();
        let value = if waits && matches!(ty, Type::Canonical { .. }) { None } else { kept(&ty, value) };
        Some((name.clone(), value?))
    });
    Value::Map(kept.collect())
}

fn kept(ty: &Type, value: &Value) -> Option<Value> {
    let is_late = |value: &Value| matches!(value.unknown(), Some(Unknown { late: true, .. }));
    match (ty, value) {
        (Type::Record(record), Value::Map(_)) => Some(without_late(record, value)),
        (Type::Set(_) | Type::List(_), Value::List(list)) => {
            Some(Value::List(list.iter().filter(|v| !is_late(v)).cloned().collect()))
        }
        (Type::Map(_), Value::Map(map)) => {
            Some(Value::Map(map.iter().filter(|(_, v)| !is_late(v)).map(|(k, v)| (k.clone(), v.clone())).collect()))
        }
        _ => (!is_late(value)).then(|| value.clone()),
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
    struct Thing {
        /// Parts in order.
        parts: Option<Vec<Part>>,
        /// Words in any order.
        words: Option<std::collections::BTreeSet<String>>,
        /// Parts by name.
        named: Option<BTreeMap<String, Part>>,
        /// One part.
        part: Option<Part>,
    }

    #[derive(PartialEq, Serialize, Deserialize, Spec)]
    struct Part {
        /// A word.
        word: Option<String>,
        /// A number.
        #[serde(default = "seven")]
        number: i64,
    }

    fn seven() -> i64 {
        7
    }

    /// What a spec comes to once `Vpc/main` is there, whose id is `vpc-1`.
    fn check(spec: Value, expect: Expect) {
        let (own, main) = (Address::new("Thing", "x"), Address::new("Vpc", "main"));
        let (spec_of_main, status) = (Value::Null, Value::Null);
        let observed = Observed {
            region: String::new(),
            id: "vpc-1".into(),
            name: String::new(),
            spec: spec_of_main,
            status,
            phase: Phase::Ready,
            remarks: vec![],
            tags: BTreeMap::new(),
            scheduled: Default::default(),
            bound: false,
            opaque: Opaque::default(),
        };
        let live = BTreeMap::from([(main, &observed)]);
        let resolved = resolve(&own, &Thing::RECORD, &spec, Known::of(&live)).expect("it resolves");
        expect.assert_eq(&resolved.json().to_string());
    }

    fn late(source: &str) -> Value {
        let reads = vec![Address::new("Vpc", "main")];
        Value::Deferred(Arc::new(Deferred {
            source: source.into(),
            reads,
            bindings: BTreeMap::new(),
            component: String::new(),
        }))
    }

    #[test]
    fn what_is_known_late_is_as_if_it_had_been_stated() {
        check(
            [("parts", late("${[{'word': Vpc.main.id}, {'word': 'b', 'number': 1}]}"))].into(),
            expect![[r#"{"parts":[{"number":7,"word":"vpc-1"},{"number":1,"word":"b"}]}"#]],
        );
        check(
            [
                ("named", late("${{'a': {'word': Vpc.main.id}, 'b': null}}")),
                ("part", late("${{'word': Vpc.main.id == '' ? null : 5}}")),
            ]
            .into(),
            expect![[r#"{"named":{"a":{"number":7,"word":"vpc-1"}},"part":{"number":7,"word":"5"}}"#]],
        );
    }

    #[test]
    fn a_list_in_a_list_is_laid_out_flat_although_it_is_known_late() {
        let stated = Value::from([("word", Value::from("a")), ("number", 2.into())]);
        check(
            [(
                "parts",
                Value::List(vec![stated, late("${[{'word': Vpc.main.id}]}"), late("${Vpc.main.id == '' ? {} : null}")]),
            )]
            .into(),
            expect![[r#"{"parts":[{"number":2,"word":"a"},{"number":7,"word":"vpc-1"}]}"#]],
        );
        check(
            [("words", Value::List(vec!["a".into(), late("${[Vpc.main.id, 'b']}")]))].into(),
            expect![[r#"{"words":["a","vpc-1","b"]}"#]],
        );
    }

    #[test]
    fn a_null_that_is_known_late_takes_an_entry_away() {
        let entry = |value| Value::Map(BTreeMap::from([("a".to_owned(), value)]));
        let part = Value::from([("word", Value::Null), ("number", late("${Vpc.main.id == '' ? 1 : null}"))]);
        check(
            [("named", entry(late("${Vpc.main.id == '' ? {} : null}"))), ("part", part)].into(),
            expect![[r#"{"named":{},"part":{"number":7,"word":null}}"#]],
        );
    }
}
