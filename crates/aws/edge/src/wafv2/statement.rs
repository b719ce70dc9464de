//! Statements and actions as WAF's own JSON, and the comparison of two of them.

use aws_smithy_types::base64;
use holdfast_core::canonical;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

/// A statement, an action or another part of a web ACL, as WAF's own JSON. A field that equals AWS's default compares
/// equal to an absent field. Search strings are plain text.
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
    const TYPE: Type = Type::Canonical { name: "WAF statement", canonical: canonical_statement };
}

impl Statement {
    /// Returns the JSON for WAF's calls, in which search strings are base64
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ByteMatchStatement.html>).
    pub(super) fn wire(&self) -> Json {
        convert_search_strings(&self.0, &|text| base64::encode(text))
    }

    /// Converts JSON that WAF returned, and decodes its search strings.
    pub(super) fn from_response(response: &Json) -> Statement {
        let plain = |text: &str| base64::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Statement(convert_search_strings(response, &|text| plain(text).unwrap_or_else(|| text.to_owned())))
    }
}

/// Returns the JSON with each `SearchString` converted.
fn convert_search_strings(json: &Json, convert: &dyn Fn(&str) -> String) -> Json {
    match json {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(key, value)| match value {
                    Json::String(text) if key == "SearchString" => (key.clone(), convert(text).into()),
                    value => (key.clone(), convert_search_strings(value, convert)),
                })
                .collect(),
        ),
        Json::Array(list) => Json::Array(list.iter().map(|value| convert_search_strings(value, convert)).collect()),
        other => other.clone(),
    }
}

/// Returns the canonical form of a statement, without AWS's defaults and with sorted lists. Two statements with the
/// same canonical form mean the same.
fn canonical_statement(value: &Value) -> Result<Value, String> {
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
            // Sorting is safe. Rules carry their order in `Priority`, and the statements in `AndStatement` and
            // `OrStatement` have no order.
            list.sort_by_key(ToString::to_string);
            Json::Array(list)
        }
        other => other.clone(),
    }
}

/// True for a value that equals an absent field: null, an empty list, or the value that AWS fills in
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
    fn defaults_and_the_order_of_lists_do_not_matter() {
        let stated = json!({ "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP", "ScopeDownStatement":
            { "GeoMatchStatement": { "CountryCodes": ["FR", "DE"] } } } });
        let response = json!({ "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP",
            "EvaluationWindowSec": 300,
            "ScopeDownStatement": { "GeoMatchStatement": { "CountryCodes": ["DE", "FR"] } } } });
        assert_eq!(canonical_statement(&stated.clone().into()), canonical_statement(&response.into()));
        assert_ne!(
            canonical_statement(&stated.into()),
            canonical_statement(&json!({ "RateBasedStatement": { "Limit": 200 } }).into())
        );
    }

    #[test]
    fn search_strings_are_plain_text_in_the_spec() {
        let stated =
            Statement(json!({ "NotStatement": { "Statement": { "ByteMatchStatement": { "SearchString": "bot" } } } }));
        let wire = stated.wire();
        assert_eq!(wire["NotStatement"]["Statement"]["ByteMatchStatement"]["SearchString"], "Ym90");
        assert_eq!(Statement::from_response(&wire), stated);
    }
}
