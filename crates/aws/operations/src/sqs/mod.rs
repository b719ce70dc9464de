//! SQS: queues and their attributes, which the API represents as strings.

pub(crate) mod queue;

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;

holdfast_base::client!(sqs: aws_sdk_sqs);

/// An attribute of a queue: the document's field, AWS's name, the desired value, and the value that restores AWS's
/// default.
struct QueueAttribute(&'static str, QueueAttributeName, Option<String>, &'static str);

/// The attributes in a response. An empty value counts as absent.
#[derive(Default)]
struct QueueAttributes(HashMap<QueueAttributeName, String>);

impl QueueAttributes {
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
