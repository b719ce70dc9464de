//! References and templates, replaced by what the resources they mean really are.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::expression;
use crate::observed::Observed;
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
/// # Errors
/// When an expression fails although all that it reads is there.
pub fn resolve(spec: &Value, live: &BTreeMap<Address, &Observed>) -> Result<Value, ResolveError> {
    Ok(match spec {
        Value::Reference(reference) => referred(reference, live),
        Value::Deferred(deferred) => match deferred.reads.iter().find(|address| !live.contains_key(*address)) {
            Some(missing) => Value::Unknown(Unknown { waits_for: missing.clone(), late: false }),
            None => {
                let attributes = |address: &Address| live.get(address).map(|observed| attributes(observed));
                expression::evaluate(deferred, &attributes).map_err(|message| ResolveError::Expression {
                    expression: deferred.source.clone(),
                    message: message.to_string(),
                })?
            }
        },
        Value::List(list) => Value::List(list.iter().map(|v| resolve(v, live)).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(k, v)| Ok((k.clone(), resolve(v, live)?))).collect::<Result<_, _>>()?)
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
pub fn without_late(spec: &Value) -> Value {
    let stays = |value: &Value| !matches!(value.unknown(), Some(Unknown { late: true, .. }));
    match spec {
        Value::List(list) => Value::List(list.iter().filter(|v| stays(v)).map(without_late).collect()),
        Value::Map(map) => Value::Map(
            map.iter()
                .filter(|(_, v)| **v != Value::Null)
                // A record or list that holds something late keeps its other parts.
                .filter(|(_, v)| stays(v) || matches!(v, Value::List(_) | Value::Map(_)))
                .map(|(k, v)| (k.clone(), without_late(v)))
                .collect(),
        ),
        other => other.clone(),
    }
}
