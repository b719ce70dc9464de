//! Statements and actions in WAF's own JSON, and how two of them are compared.

use aws_smithy_types::base64;
use holdfast_core::canonical;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

/// A statement, an action or another part of a web ACL, in WAF's own JSON. What equals AWS's default is the same as not
/// said, and texts to search for are plain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Statement(Json);

impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Json::deserialize(deserializer)? {
            Json::String(text) => Statement(serde_json::from_str(&text).unwrap_or(Json::String(text))),
            other => Statement(other),
        })
    }
}

impl Typed for Statement {
    const TYPE: Type = Type::Canonical { name: "WAF statement", canonical: compared };
}

impl Statement {
    /// As WAF's calls take it: a text to search for is base64
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ByteMatchStatement.html>).
    pub(super) fn wire(&self) -> Json {
        searched(&self.0, &|text| base64::encode(text))
    }

    /// From what WAF tells.
    pub(super) fn live(told: &Json) -> Statement {
        let plain = |text: &str| base64::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Statement(searched(told, &|text| plain(text).unwrap_or_else(|| text.to_owned())))
    }
}

/// The same with each `SearchString` spelt otherwise.
fn searched(json: &Json, spell: &dyn Fn(&str) -> String) -> Json {
    match json {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(key, value)| match value {
                    Json::String(text) if key == "SearchString" => (key.clone(), spell(text).into()),
                    value => (key.clone(), searched(value, spell)),
                })
                .collect(),
        ),
        Json::Array(list) => Json::Array(list.iter().map(|value| searched(value, spell)).collect()),
        other => other.clone(),
    }
}

/// Two statements mean the same when they are equal without AWS's defaults, with the lists in order that have none.
fn compared(value: &Value) -> Result<Value, String> {
    Ok(canonical_json(&canonical::json(value)?.json()).into())
}

fn canonical_json(json: &Json) -> Json {
    match json {
        Json::Object(map) => {
            let map = map.iter().filter(|(key, value)| !is_default(key, value));
            Json::Object(map.map(|(key, value)| (key.clone(), canonical_json(value))).collect())
        }
        Json::Array(list) => {
            let mut list: Vec<Json> = list.iter().map(canonical_json).collect();
            // What has an order says so itself (`Priority`); what is below `and` and `or` has none.
            list.sort_by_key(ToString::to_string);
            Json::Array(list)
        }
        other => other.clone(),
    }
}

/// What AWS fills in where nothing is said
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html>,
/// <https://docs.aws.amazon.com/waf/latest/APIReference/API_SqliMatchStatement.html>).
fn is_default(key: &str, value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(list) => list.is_empty(),
        Json::Number(number) => key == "EvaluationWindowSec" && number.as_i64() == Some(300),
        Json::String(text) => key == "SensitivityLevel" && text == "LOW",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_order_make_no_difference() {
        let stated = json!({ "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP", "ScopeDownStatement":
            { "GeoMatchStatement": { "CountryCodes": ["FR", "DE"] } } } });
        let told = json!({ "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP", "EvaluationWindowSec": 300,
            "ScopeDownStatement": { "GeoMatchStatement": { "CountryCodes": ["DE", "FR"] } } } });
        assert_eq!(compared(&stated.clone().into()), compared(&told.into()));
        assert_ne!(compared(&stated.into()), compared(&json!({ "RateBasedStatement": { "Limit": 200 } }).into()));
    }

    #[test]
    fn a_text_to_search_for_is_plain_to_people() {
        let stated =
            Statement(json!({ "NotStatement": { "Statement": { "ByteMatchStatement": { "SearchString": "bot" } } } }));
        let wire = stated.wire();
        assert_eq!(wire["NotStatement"]["Statement"]["ByteMatchStatement"]["SearchString"], "Ym90");
        assert_eq!(Statement::live(&wire), stated);
    }
}
