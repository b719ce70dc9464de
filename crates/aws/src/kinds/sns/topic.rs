//! Topic: where alarms and events are published.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_sns::types::Tag;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{JsonText, Policy};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, OrAbsent, Result};
use crate::kind::{Desired, Kind, Live};
use crate::tagging::{self, Tags};

/// A topic. Its name has at most 256 letters, digits, hyphens and underscores; the name of a FIFO topic has to
/// be stated and to end in `.fifo`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topic {
    /// The sender's name in e-mails and text messages.
    display_name: Option<String>,
    /// The key that encrypts messages: an id, an ARN, or `alias/aws/sns`. CloudWatch alarms cannot publish to
    /// a topic under `alias/aws/sns`; they need a key whose policy lets them
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html>). `null` for no encryption.
    kms_master_key_id: Option<String>,
    /// Who may publish and subscribe. `null` for AWS's default: the account itself.
    policy: Option<Policy>,
    /// How deliveries over HTTP are repeated.
    delivery_policy: Option<JsonText>,
    /// `PassThrough` (AWS's default) or `Active`.
    tracing_config: Option<String>,
    /// `1` (AWS's default) or `2`, as a string: SHA1 or SHA256 in the signatures of messages.
    signature_version: Option<String>,
    /// Whether messages keep their order.
    #[spec(immutable)]
    fifo_topic: Option<bool>,
    /// Whether the same body within five minutes is the same message; FIFO topics only.
    content_based_deduplication: Option<bool>,
}

/// What only AWS knows of a Topic.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicStatus {
    /// Its ARN; also its id.
    arn: String,
}

impl Kind for Topic {
    type Status = TopicStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(256);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = aws.sns.list_topics().into_paginator().items().send();
        let mut found = vec![];
        for topic in pages.collect::<std::result::Result<Vec<_>, _>>().await? {
            let arn = topic.topic_arn.ok_or_else(|| Error::incomplete("sns.ListTopics", "topicArn"))?;
            let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
            let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
            if !scope.is_candidate(&name) && !scope.ids.contains(&arn) && !scope.ids.contains(&name) && !by_fields {
                continue;
            }
            let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { continue };
            let detail = aws.sns.get_topic_attributes().topic_arn(&arn).send().await.or_absent()?;
            if let Some(detail) = detail {
                let attributes = detail.attributes.unwrap_or_default();
                found.push(live(&attributes, arn, name).tags(tags));
            }
        }
        Ok(found)
    }

    /// AWS answers a second create with the same attributes and tags with the first topic, and refuses others.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<String> {
        let attributes = texts(&desired.spec).into_iter().filter_map(|(key, _, text)| Some((key.to_owned(), text?)));
        let made = aws
            .sns
            .create_topic()
            .name(&desired.name)
            .set_attributes(Some(attributes.collect()))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        made.topic_arn.ok_or_else(|| Error::incomplete("sns.CreateTopic", "topicArn"))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        for (key, field, text) in texts(&desired.spec) {
            if !desired.changed(field) {
                continue;
            }
            let text = text.unwrap_or_else(|| match key {
                "Policy" => default_policy(&live.status.arn).json(),
                "TracingConfig" => "PassThrough".into(),
                "SignatureVersion" => "1".into(),
                "ContentBasedDeduplication" => "false".into(),
                _ => String::new(),
            });
            let set = aws.sns.set_topic_attributes().topic_arn(&live.id);
            set.attribute_name(key).attribute_value(text).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        aws.sns.delete_topic().topic_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(
        aws: &Aws,
        live: &Live<Self>,
        set: &BTreeMap<String, String>,
        remove: &BTreeSet<String>,
    ) -> Result<()> {
        if !set.is_empty() {
            aws.sns.tag_resource().resource_arn(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            aws.sns.untag_resource().resource_arn(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// AWS's key, our field and the text of each attribute, encryption and access first.
fn texts(spec: &Topic) -> [(&'static str, &'static str, Option<String>); 8] {
    let Topic {
        display_name,
        kms_master_key_id,
        policy,
        delivery_policy,
        tracing_config,
        signature_version,
        fifo_topic,
        content_based_deduplication,
    } = spec;
    [
        ("KmsMasterKeyId", "kmsMasterKeyId", kms_master_key_id.clone()),
        ("Policy", "policy", policy.as_ref().map(Policy::json)),
        ("DisplayName", "displayName", display_name.clone()),
        ("DeliveryPolicy", "deliveryPolicy", delivery_policy.as_ref().map(JsonText::json)),
        ("TracingConfig", "tracingConfig", tracing_config.clone()),
        ("SignatureVersion", "signatureVersion", signature_version.clone()),
        // A standard topic is one that does not say this; AWS refuses `false` for some names.
        ("FifoTopic", "fifoTopic", fifo_topic.filter(|fifo| *fifo).map(|fifo| fifo.to_string())),
        (
            "ContentBasedDeduplication",
            "contentBasedDeduplication",
            content_based_deduplication.map(|dedup| dedup.to_string()),
        ),
    ]
}

/// The policy that AWS gives a topic made without one
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html>).
fn default_policy(arn: &str) -> Policy {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let actions = ["GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic"];
    let actions = actions.into_iter().chain(["Subscribe", "ListSubscriptionsByTopic", "Publish"]);
    Policy(serde_json::json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions.map(|action| format!("SNS:{action}")).collect::<Vec<_>>(),
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
        }],
    }))
}

/// True for AWS's default policy. Which actions it lists has changed over the years; who may has not.
fn is_default(policy: &Policy, arn: &str) -> bool {
    let plain = |mut policy: serde_json::Value| {
        if let Some(statement) = policy.pointer_mut("/Statement/0").and_then(|s| s.as_object_mut()) {
            statement.remove("Action");
        }
        policy
    };
    plain(policy.0.clone()) == plain(default_policy(arn).0)
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = aws.sns.list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    let pair = |tag: Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(k, v): (&String, &String)| Tag::builder().key(k).value(v).build();
    let tags: std::result::Result<Vec<Tag>, _> = tags.iter().map(tag).collect();
    tags.map_err(|error| Error::terminal("sns.TagResource", error.to_string()))
}

fn live(attributes: &HashMap<String, String>, arn: String, name: String) -> Live<Topic> {
    let get = |key: &str| attributes.get(key).filter(|text| !text.is_empty()).cloned();
    let spec = Topic {
        display_name: get("DisplayName"),
        kms_master_key_id: get("KmsMasterKeyId"),
        policy: get("Policy").map(|text| Policy::parse(&text)).filter(|policy| !is_default(policy, &arn)),
        delivery_policy: get("DeliveryPolicy").map(|text| JsonText::parse(&text)),
        tracing_config: get("TracingConfig"),
        signature_version: get("SignatureVersion"),
        // AWS says nothing of a topic that is none.
        fifo_topic: Some(get("FifoTopic").is_some_and(|fifo| fifo == "true")),
        content_based_deduplication: get("ContentBasedDeduplication").map(|dedup| dedup == "true"),
    };
    Live::new(arn.clone(), name, spec, TopicStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_none_and_an_open_one_is_not() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:ops";
        let told = |policy: &Policy| {
            let attributes = HashMap::from([("Policy".into(), policy.json()), ("DisplayName".into(), String::new())]);
            live(&attributes, arn.into(), "ops".into()).spec
        };
        let default = default_policy(arn);
        assert_eq!(told(&default).policy, None);
        assert_eq!(told(&default).display_name, None);
        let mut open = default.clone();
        open.0["Statement"][0].as_object_mut().map(|s| s.remove("Condition"));
        assert_eq!(told(&open).policy, Some(open));
    }
}
