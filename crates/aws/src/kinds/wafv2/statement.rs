//! Statements and actions in WAF's own JSON, and how two of them are compared.

use holdfast_core::canonical;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A statement, an action or another part of a web ACL, as WAF's JSON. What equals AWS's default is the same as not said,
/// and texts to search for are plain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Statement(pub(super) Json);

impl Typed for Statement {
    const TYPE: Type = Type::Canonical { name: "WAF statement", canonical: compared };
}

fn compared(value: &Value) -> Result<Value, String> {
    canonical::json(value)
}
