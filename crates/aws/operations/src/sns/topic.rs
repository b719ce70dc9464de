//! Topic: where alarms and events are published.

use std::collections::BTreeMap;

use aws_sdk_sns::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Fault, Naming, Tier};
use holdfast_core::types::{JsonText, Policy};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::policy::{default_policy, is_default};
use super::{Attribute, Told, changes, sns, stated};

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
    /// It takes subscriptions and messages from the start.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::limit(256);
    const CLASS: CreateClass = CreateClass::Name;

    /// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
    fn check(name: &str, spec: &Value) -> Vec<Fault> {
        let fifo = match spec.get("fifoTopic") {
            Some(Value::Bool(fifo)) => *fifo,
            _ if spec.states("fifoTopic") == Some(false) => false,
            _ => return vec![],
        };
        match (fifo, name.ends_with(".fifo")) {
            (true, false) => vec![("name", format!("a FIFO topic's `name` ends in `.fifo`, and `{name}` does not"))],
            (false, true) => {
                vec![("name", format!("`{name}` is a FIFO topic's name, which needs `fifoTopic: true`"))]
            }
            _ => vec![],
        }
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let known = tagging::known(aws, scope, |service, _| service == "sns", |arn, _| look(aws, scope, arn));
        if let Some(found) = known.await? {
            return Ok(found);
        }
        let pages = sns(aws).list_topics().into_paginator().items().send();
        let topics = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        each(topics.into_iter().filter_map(|topic| topic.topic_arn), |arn| look(aws, scope, arn)).await
    }

    /// AWS answers a second create with the same attributes and tags with the first topic, and refuses others.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let sent = stated(attributes(&desired.spec, ""));
        let made = sns(aws)
            .create_topic()
            .name(&desired.name)
            .set_attributes(sent.clone())
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let arn = made.topic_arn.ok_or_else(|| Error::incomplete("sns.CreateTopic", "topicArn"))?;
        let told = live(&Told(sent.unwrap_or_default()), arn, desired.name.clone());
        Ok(told.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        for (key, text) in changes(desired, attributes(&desired.spec, &live.id)) {
            let set = sns(aws).set_topic_attributes().topic_arn(&live.id);
            set.attribute_name(key).attribute_value(text).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        sns(aws).delete_topic().topic_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            sns(aws).tag_resource().resource_arn(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            sns(aws).untag_resource().resource_arn(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// The attributes, encryption and access first.
fn attributes(spec: &Topic, arn: &str) -> [Attribute; 8] {
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
    let none = String::new;
    [
        Attribute("KmsMasterKeyId", kms_master_key_id.clone(), none()),
        Attribute("Policy", policy.as_ref().map(Policy::json), default_policy(arn).json()),
        Attribute("DisplayName", display_name.clone(), none()),
        Attribute::json("DeliveryPolicy", delivery_policy, ""),
        Attribute("TracingConfig", tracing_config.clone(), "PassThrough".into()),
        Attribute("SignatureVersion", signature_version.clone(), "1".into()),
        // A standard topic is one that does not say this; AWS refuses `false` for some names.
        Attribute("FifoTopic", fifo_topic.filter(|fifo| *fifo).map(|fifo| fifo.to_string()), none()),
        Attribute("ContentBasedDeduplication", content_based_deduplication.map(|on| on.to_string()), "false".into()),
    ]
}

/// A topic as it is; none when it is gone, or not asked for.
async fn look(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<Topic>>> {
    let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    if !scope.is_candidate(&name) && !scope.ids.contains(&arn) && !scope.ids.contains(&name) && !by_fields {
        return Ok(None);
    }
    let detail = async { sns(aws).get_topic_attributes().topic_arn(&arn).send().await.or_absent() };
    let (tags, detail) = futures::try_join!(tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)), detail)?;
    let (Some(tags), Some(detail)) = (tags, detail) else { return Ok(None) };
    Ok(Some(live(&Told(detail.attributes.unwrap_or_default()), arn, name).tags(tags)))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = sns(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    let pair = |tag: Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(k, v): (&String, &String)| Tag::builder().key(k).value(v).build();
    let tags: std::result::Result<Vec<Tag>, _> = tags.iter().map(tag).collect();
    tags.map_err(|error| Error::terminal("sns.TagResource", error.to_string()))
}

fn live(told: &Told, arn: String, name: String) -> Live<Topic> {
    let spec = Topic {
        display_name: told.text("DisplayName"),
        kms_master_key_id: told.text("KmsMasterKeyId"),
        policy: told.text("Policy").map(|text| Policy::parse(&text)).filter(|policy| !is_default(policy, &arn)),
        delivery_policy: told.json("DeliveryPolicy"),
        tracing_config: told.text("TracingConfig"),
        signature_version: told.text("SignatureVersion"),
        // AWS says nothing of a topic that is none.
        fifo_topic: Some(told.flag("FifoTopic").unwrap_or(false)),
        content_based_deduplication: told.flag("ContentBasedDeduplication"),
    };
    Live::new(arn.clone(), name, spec, TopicStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_stated_is_none() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:ops";
        let attributes = [("Policy".into(), default_policy(arn).json()), ("DisplayName".into(), String::new())];
        let spec = live(&Told(attributes.into()), arn.into(), "ops".into()).spec;
        assert_eq!((spec.policy, spec.display_name), (None, None));
    }

    #[test]
    fn the_name_says_whether_it_is_fifo() {
        let fifo = |fifo: bool| serde_json::json!({ "fifoTopic": fifo }).into();
        assert_eq!(Topic::check("orders", &fifo(true)).len(), 1);
        assert_eq!(Topic::check("orders.fifo", &fifo(false)).len(), 1);
        assert!(Topic::check("orders.fifo", &fifo(true)).is_empty());
    }
}
