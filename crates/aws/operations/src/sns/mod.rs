//! Simple Notification Service: attributes, which AWS keeps as texts.

mod policy;
pub(crate) mod subscription;
pub(crate) mod topic;

use std::collections::HashMap;

use holdfast_base::kind::Desired;
use holdfast_core::types::JsonText;

holdfast_base::client!(sns: aws_sdk_sns);

/// An attribute: AWS's key of it, the text that is wanted, and the text that takes it back to AWS's default.
struct Attribute(&'static str, Option<String>, String);

impl Attribute {
    fn json(key: &'static str, json: &Option<JsonText>, default: &str) -> Attribute {
        Attribute(key, json.as_ref().map(JsonText::json), default.into())
    }

    /// Our field: AWS's key, with a small letter first.
    fn field(&self) -> String {
        let (first, rest) = self.0.split_at(1);
        first.to_lowercase() + rest
    }
}

/// The attributes of an answer; an empty one is none.
#[derive(Default)]
struct Told(HashMap<String, String>);

impl Told {
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

/// The attributes that a create call takes: those that are stated.
fn stated(attributes: impl IntoIterator<Item = Attribute>) -> Option<HashMap<String, String>> {
    Some(attributes.into_iter().filter_map(|Attribute(key, text, _)| Some((key.to_owned(), text?))).collect())
}

/// The keys and texts to set.
fn changes<K>(desired: &Desired<K>, of: impl IntoIterator<Item = Attribute>) -> Vec<(&'static str, String)> {
    let changed = of.into_iter().filter(|attribute| desired.changed(&attribute.field()));
    changed.map(|Attribute(key, text, default)| (key, text.unwrap_or(default))).collect()
}
