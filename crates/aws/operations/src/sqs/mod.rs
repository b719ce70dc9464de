//! SQS: attributes, which AWS keeps as texts.

pub(crate) mod queue;

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;

holdfast_base::client!(sqs: aws_sdk_sqs);

/// An attribute: our field, AWS's name of it, the text that is wanted, and the text that takes it back to AWS's default.
struct Attribute(&'static str, QueueAttributeName, Option<String>, &'static str);

/// The attributes of an answer; an empty one is none.
#[derive(Default)]
struct Told(HashMap<QueueAttributeName, String>);

impl Told {
    fn text(&self, name: &QueueAttributeName) -> Option<String> {
        self.0.get(name).filter(|text| !text.is_empty()).cloned()
    }

    fn number(&self, name: &QueueAttributeName) -> Option<i32> {
        self.0.get(name)?.parse().ok()
    }

    fn flag(&self, name: &QueueAttributeName) -> bool {
        self.0.get(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
    }

    fn json(&self, name: &QueueAttributeName) -> Option<serde_json::Value> {
        serde_json::from_str(&self.text(name)?).ok()
    }
}
