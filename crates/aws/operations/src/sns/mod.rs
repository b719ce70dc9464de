//! SNS: topics, subscriptions and their attributes, which the API represents as strings.

mod policy;
pub(crate) mod subscription;
pub(crate) mod topic;

use std::collections::HashMap;

use holdfast_base::kind::Desired;
use holdfast_core::types::JsonText;

holdfast_base::client!(sns: aws_sdk_sns);

/// An attribute of a topic or subscription: AWS's key, the desired value, and the value that restores AWS's default.
struct SnsAttribute(&'static str, Option<String>, String);

impl SnsAttribute {
    fn json(key: &'static str, json: &Option<JsonText>, default: &str) -> SnsAttribute {
        SnsAttribute(key, json.as_ref().map(JsonText::json), default.into())
    }

    /// Returns the document's field name: AWS's key with a lower-case first letter.
    fn field(&self) -> String {
        let (first, rest) = self.0.split_at(1);
        first.to_lowercase() + rest
    }
}

/// The attributes in a response. An empty value counts as absent.
#[derive(Default)]
struct SnsAttributes(HashMap<String, String>);

impl SnsAttributes {
    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).filter(|text| !text.is_empty()).cloned()
    }

    fn json(&self, key: &str) -> Option<JsonText> {
        self.text(key).map(|text| JsonText::parse(&text))
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.text(key).map(|flag| flag == "true")
    }
}

/// Returns the attributes for a create call: those that the document states.
fn stated(attributes: impl IntoIterator<Item = SnsAttribute>) -> Option<HashMap<String, String>> {
    Some(attributes.into_iter().filter_map(|SnsAttribute(key, text, _)| Some((key.to_owned(), text?))).collect())
}

/// Returns the keys and values to set for the fields that changed.
fn changes<K>(desired: &Desired<K>, of: impl IntoIterator<Item = SnsAttribute>) -> Vec<(&'static str, String)> {
    let changed = of.into_iter().filter(|attribute| desired.changed(&attribute.field()));
    changed.map(|SnsAttribute(key, text, default)| (key, text.unwrap_or(default))).collect()
}
