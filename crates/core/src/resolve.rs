//! References and templates, replaced by what the resources they mean really are.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::expression;
use crate::observed::Observed;
use crate::schema::{Record, Type};
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

/// The spec with every reference and template replaced; by [`Value::Unknown`] where `live` has nothing yet.
///
/// What a resource reads of itself is late: it can only be known once it is there.
///
/// # Errors
/// When an expression fails although all that it reads is there.
pub fn resolve(own: &Address, spec: &Value, live: &BTreeMap<Address, &Observed>) -> Result<Value, ResolveError> {
    Ok(match spec {
        Value::Reference(reference) => referred(reference, live),
        Value::Deferred(deferred) => {
            match deferred.reads.iter().filter(|a| !live.contains_key(*a)).min_by_key(|a| *a == own) {
                Some(missing) => Value::Unknown(Unknown { waits_for: missing.clone(), late: missing == own }),
                None => {
                    let attributes = |address: &Address| live.get(address).map(|observed| attributes(observed));
                    expression::evaluate(deferred, &attributes).map_err(|message| ResolveError::Expression {
                        expression: deferred.source.clone(),
                        message: message.to_string(),
                    })?
                }
            }
        }
        Value::List(list) => Value::List(list.iter().map(|v| resolve(own, v, live)).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(k, v)| Ok((k.clone(), resolve(own, v, live)?))).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn referred(reference: &Reference, live: &BTreeMap<Address, &Observed>) -> Value {
    live.get(&reference.address)
        .and_then(|observed| observed.attribute(reference.attribute))
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
