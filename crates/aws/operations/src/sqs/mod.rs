//! SQS: queues and their attributes, which the API represents as strings.

pub(crate) mod queue;

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::owner::TagCalls;
use holdfast_base::tagging::Tags;

holdfast_base::client!(sqs: aws_sdk_sqs);

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

/// The calls that set and remove tags, which take tags as a map and a queue's URL.
pub(crate) struct QueueTags;

impl TagCalls for QueueTags {
    async fn set(aws: &Aws, url: &str, tags: &Tags) -> Result<()> {
        sqs(aws).tag_queue().queue_url(url).set_tags(Some(tags.clone().into_iter().collect())).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, url: &str, keys: Vec<String>) -> Result<()> {
        sqs(aws).untag_queue().queue_url(url).set_tag_keys(Some(keys)).send().await?;
        Ok(())
    }
}
