//! Topic: an SNS topic, which alarms and events are published to.

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{Needs, OneOf, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::{JsonText, PolicyDocument};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::policy::{default_policy, is_default};
use super::{SnsAttribute, SnsAttributes, SnsTags, changes, from_sdk_tags, sdk_tags, sns, stated};

/// An SNS topic.
///
/// The name has at most 256 letters, digits, hyphens and underscores. The name of a FIFO topic must be stated and must
/// end in `.fifo`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topic {
    /// The display name: the sender's name in e-mails and text messages.
    #[spec(length = ..=100)]
    display_name: Option<String>,
    /// The KMS key that encrypts messages: a key id, a key ARN, or `alias/aws/sns`; `null` for no encryption.
    /// CloudWatch alarms cannot publish to a topic under `alias/aws/sns`; they need a key whose key policy allows them
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html>).
    #[spec(spelling = Key)]
    kms_master_key_id: Option<String>,
    /// The topic policy: which principals may publish and subscribe. `null` for AWS's default policy, which allows the
    /// account itself.
    policy: Option<PolicyDocument>,
    /// The delivery policy: how deliveries over HTTP are retried.
    delivery_policy: Option<JsonText>,
    /// The X-Ray tracing mode.
    #[spec(one_of = ["PassThrough", "Active"], default = "PassThrough")]
    tracing_config: Option<String>,
    /// The version of message signatures, as a string: `1` for SHA1 or `2` for SHA256.
    #[spec(one_of = ["1", "2"], default = "1")]
    signature_version: Option<String>,
    /// Whether the topic is a FIFO topic, which keeps messages in order. AWS's default is false.
    #[spec(immutable, default = false)]
    fifo_topic: Option<bool>,
    /// Whether content-based deduplication is on: messages with the same body within five minutes are duplicates. FIFO
    /// topics only. AWS's default is false.
    #[spec(default = false)]
    content_based_deduplication: Option<bool>,
}

/// The read-only attributes of a Topic.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicStatus {
    /// The topic's ARN, which is also its id.
    arn: String,
}

impl Kind for Topic {
    type Status = TopicStatus;
    type Owner = TagOnCreate<SnsTags>;
    const TIER: Tier = Tier::Operations;
    /// A topic accepts subscriptions and messages as soon as it exists.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+(\.fifo)?", "has letters, digits and the characters `_-`, and may end with `.fifo`"),
        ..NamingRules::limit(256)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
        demand(Needs("fifoTopic")).when(&[Is("contentBasedDeduplication", &["true"])]),
        demand(OneOf("fifoTopic", &["true"])).when(&[Is("contentBasedDeduplication", &["true"])]),
        demand(ValidPolicy("policy", PolicyType::Resource)),
    ];

    /// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
    fn check(name: &str, spec: &Value) -> Vec<ValidationError> {
        let fifo = match spec.get("fifoTopic") {
            Some(Value::Bool(fifo)) => *fifo,
            _ if spec.states("fifoTopic") == Some(false) => false,
            _ => return vec![],
        };
        match (fifo, name.ends_with(".fifo")) {
            (true, false) => {
                vec![("name", format!("the `name` of a FIFO topic must end in `.fifo`; `{name}` does not"))]
            }
            (false, true) => {
                vec![("name", format!("`{name}` ends in `.fifo`: set `fifoTopic: true`, or choose another `name`"))]
            }
            _ => vec![],
        }
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let known = tagging::known(aws, scope, |service, _| service == "sns", |arn, _| observe_topic(aws, scope, arn));
        if let Some(found) = known.await? {
            return Ok(found);
        }
        let pages = sns(aws).list_topics().into_paginator().items().send();
        let topics = all(pages).await?;
        each(topics.into_iter().filter_map(|topic| topic.topic_arn), |arn| observe_topic(aws, scope, arn)).await
    }

    /// A second CreateTopic call with the same attributes and tags returns the existing topic. Other attributes or tags
    /// are refused.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let sent = stated(attributes(&desired.spec, ""));
        let output = sns(aws)
            .create_topic()
            .name(&desired.name)
            .set_attributes(sent.clone())
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let arn = output.topic_arn.ok_or_else(|| Error::incomplete("sns.CreateTopic", "topicArn"))?;
        let created = live(&SnsAttributes(sent.unwrap_or_default()), arn, desired.name.clone());
        Ok(created.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        for (key, text) in changes(desired, attributes(&desired.spec, &live.id)) {
            let set = sns(aws).set_topic_attributes().topic_arn(&live.id);
            set.attribute_name(key).attribute_value(text).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        sns(aws).delete_topic().topic_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the attributes that can be set, encryption and the topic policy first.
fn attributes(spec: &Topic, arn: &str) -> [SnsAttribute<Topic>; 8] {
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
        SnsAttribute(Topic::KMS_MASTER_KEY_ID, kms_master_key_id.clone(), none()),
        SnsAttribute(Topic::POLICY, policy.as_ref().map(PolicyDocument::json), default_policy(arn).json()),
        SnsAttribute(Topic::DISPLAY_NAME, display_name.clone(), none()),
        SnsAttribute::json(Topic::DELIVERY_POLICY, delivery_policy, ""),
        SnsAttribute(Topic::TRACING_CONFIG, tracing_config.clone(), "PassThrough".into()),
        SnsAttribute(Topic::SIGNATURE_VERSION, signature_version.clone(), "1".into()),
        // FifoTopic is left out for a standard topic: AWS refuses `false` for some names.
        SnsAttribute(Topic::FIFO_TOPIC, fifo_topic.filter(|fifo| *fifo).map(|fifo| fifo.to_string()), none()),
        SnsAttribute(
            Topic::CONTENT_BASED_DEDUPLICATION,
            content_based_deduplication.map(|on| on.to_string()),
            "false".into(),
        ),
    ]
}

/// Observes one topic. None when the topic no longer exists or the scope does not request it.
async fn observe_topic(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<Topic>>> {
    let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
    if !scope.wants(&Listed::id(&arn).named(&name)).any() {
        return Ok(None);
    }
    let detail = async { sns(aws).get_topic_attributes().topic_arn(&arn).send().await.or_absent() };
    let (tags, detail) = futures::try_join!(tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)), detail)?;
    let (Some(tags), Some(detail)) = (tags, detail) else { return Ok(None) };
    Ok(Some(live(&SnsAttributes(detail.attributes.unwrap_or_default()), arn, name).tags(tags)))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = sns(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| from_sdk_tags(output.tags())))
}

fn live(attributes: &SnsAttributes, arn: String, name: String) -> Live<Topic> {
    let spec = Topic {
        display_name: attributes.text("DisplayName"),
        kms_master_key_id: attributes.text("KmsMasterKeyId"),
        policy: attributes
            .text("Policy")
            .map(|text| PolicyDocument::parse(&text))
            .filter(|policy| !is_default(policy, &arn)),
        delivery_policy: attributes.json("DeliveryPolicy"),
        tracing_config: attributes.text("TracingConfig"),
        signature_version: attributes.text("SignatureVersion"),
        // AWS leaves FifoTopic out for a standard topic.
        fifo_topic: Some(attributes.flag("FifoTopic").unwrap_or(false)),
        content_based_deduplication: attributes.flag("ContentBasedDeduplication"),
    };
    Live::new(arn.clone(), name, spec, TopicStatus { arn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_policy_and_an_empty_display_name_are_null() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:ops";
        let attributes = [("Policy".into(), default_policy(arn).json()), ("DisplayName".into(), String::new())];
        let spec = live(&SnsAttributes(attributes.into()), arn.into(), "ops".into()).spec;
        assert_eq!((spec.policy, spec.display_name), (None, None));
    }

    #[test]
    fn the_name_of_a_topic_must_match_its_type() {
        let fifo = |fifo: bool| serde_json::json!({ "fifoTopic": fifo }).into();
        assert_eq!(Topic::check("orders", &fifo(true)).len(), 1);
        assert_eq!(Topic::check("orders.fifo", &fifo(false)).len(), 1);
        assert!(Topic::check("orders.fifo", &fifo(true)).is_empty());
    }
}
