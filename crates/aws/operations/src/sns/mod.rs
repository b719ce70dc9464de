//! SNS: topics, subscriptions and their attributes, which the API represents as strings.

mod policy;
pub(crate) mod subscription;
pub(crate) mod topic;

use std::collections::HashMap;

use holdfast_base::kind::Desired;
use holdfast_core::schema::FieldName;
use holdfast_core::types::JsonText;

holdfast_base::client!(sns: aws_sdk_sns);
holdfast_base::sdk_tags!(required aws_sdk_sns::types::Tag);
holdfast_base::tag_calls!(SnsTags: sns, tag_resource.resource_arn, untag_resource.resource_arn);

/// An attribute of a topic or subscription: the field, the desired value, and the value that restores AWS's default.
struct SnsAttribute<K>(FieldName<K>, Option<String>, String);

impl<K> SnsAttribute<K> {
    fn json(field: FieldName<K>, json: &Option<JsonText>, default: &str) -> SnsAttribute<K> {
        SnsAttribute(field, json.as_ref().map(JsonText::json), default.into())
    }

    /// Returns AWS's key: the field's name with an upper-case first letter.
    fn key(&self) -> String {
        let (first, rest) = self.0.name().split_at(1);
        first.to_uppercase() + rest
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
fn stated<K>(attributes: impl IntoIterator<Item = SnsAttribute<K>>) -> Option<HashMap<String, String>> {
    Some(attributes.into_iter().filter_map(|attribute| Some((attribute.key(), attribute.1?))).collect())
}

/// Returns the keys and values to set for the fields that changed.
fn changes<K>(desired: &Desired<K>, of: impl IntoIterator<Item = SnsAttribute<K>>) -> Vec<(String, String)> {
    let changed = of.into_iter().filter(|attribute| desired.changed(attribute.0));
    changed.map(|attribute| (attribute.key(), attribute.1.unwrap_or(attribute.2))).collect()
}
