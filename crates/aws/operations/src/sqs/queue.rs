//! Queue: an SQS queue, which keeps messages until a consumer processes and deletes them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as AttributeName;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::{Listed, Wants};
use holdfast_core::Spec;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot, Stated},
    Demand::{Excludes, Needs, OneOf, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Tier};
use holdfast_core::types::{AfterCreate, Arn, PolicyDocument, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{QueueAttributes, QueueTags, sqs};

/// An SQS queue.
///
/// The name has at most 80 letters, digits, hyphens and underscores. The name of a FIFO queue must be stated and must
/// end in `.fifo`. A name can be reused 60 seconds after its queue was deleted
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>). Deleting a queue
/// deletes its messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queue {
    /// Whether the queue is a FIFO queue, which keeps messages in order. AWS's default is false.
    #[spec(immutable)]
    fifo_queue: Option<ServerDefault<bool>>,
    /// The visibility timeout in seconds: how long a received message is hidden from other consumers.
    #[spec(range = 0..=43200, default = 30)]
    visibility_timeout: Option<ServerDefault<i32>>,
    /// The message retention period in seconds: how long SQS keeps a message that is not deleted. The longest is 14 days,
    /// and AWS's default is 4 days.
    #[spec(range = 60..=1209600, default = 345600)]
    message_retention_period: Option<ServerDefault<i32>>,
    /// The delivery delay in seconds: how long a new message is hidden from consumers.
    #[spec(range = 0..=900, default = 0)]
    delay_seconds: Option<ServerDefault<i32>>,
    /// The wait time in seconds for long polling: how long a receive call waits for a message. With 0, the call returns at
    /// once.
    #[spec(range = 0..=20, default = 0)]
    receive_message_wait_time_seconds: Option<ServerDefault<i32>>,
    /// The maximum size of a message in bytes
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
    #[spec(range = 1024..=1048576, default = 1048576)]
    maximum_message_size: Option<ServerDefault<i32>>,
    /// The redrive policy: the dead-letter queue for messages that consumers fail to process; `null` for none.
    redrive_policy: Option<RedrivePolicy>,
    /// The redrive allow policy: which source queues may use this queue as their dead-letter queue; `null` for all
    /// queues of the account.
    redrive_allow_policy: Option<RedriveAllowPolicy>,
    /// The queue policy: which principals may use the queue, in addition to those of the account; `null` for none. The
    /// policy may contain the queue's own ARN: `${Queue.work.arn}`. It must not read an EventRule whose target is the
    /// queue, because the rule waits for the queue: write the rule's ARN as text,
    /// `arn:aws:events:<region>:<account>:rule/<name>`.
    policy: Option<PolicyDocument>,
    /// The KMS key that encrypts messages: a key id, a key ARN, or an alias such as `alias/aws/sqs`; `null` for none.
    /// SQS and EventBridge can use a key only if its key policy allows them
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>).
    #[spec(spelling = Key)]
    kms_master_key_id: Option<String>,
    /// The data key reuse period in seconds: how long SQS reuses a data key before it requests another from KMS.
    #[spec(range = 60..=86400, default = 300)]
    kms_data_key_reuse_period_seconds: Option<ServerDefault<i32>>,
    /// Whether SQS-managed keys encrypt messages (SSE-SQS). AWS's default is true, unless the queue has a KMS key.
    sqs_managed_sse_enabled: Option<ServerDefault<bool>>,
    /// Whether content-based deduplication is on: messages with the same body within five minutes are duplicates. FIFO
    /// queues only. AWS's default is false.
    content_based_deduplication: Option<ServerDefault<bool>>,
    /// The scope in which messages are duplicates. FIFO queues only.
    #[spec(one_of = ["queue", "messageGroup"], default = "queue")]
    deduplication_scope: Option<String>,
    /// The scope of the throughput limit. `perMessageGroupId` is for high throughput and requires
    /// `deduplicationScope: messageGroup`. FIFO queues only.
    #[spec(one_of = ["perQueue", "perMessageGroupId"], default = "perQueue")]
    fifo_throughput_limit: Option<String>,
}

/// A redrive policy: the dead-letter queue for messages that consumers fail to process.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedrivePolicy {
    /// The dead-letter queue: a FIFO queue for a FIFO queue, and a standard queue for a standard queue.
    dead_letter_queue: Ref<Queue, Arn>,
    /// The number of receives after which a message moves to the dead-letter queue.
    #[spec(range = 1..=1000)]
    max_receive_count: i32,
}

/// A redrive allow policy: which source queues may use this queue as their dead-letter queue.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedriveAllowPolicy {
    /// The permission. `byQueue` allows the source queues that `sourceQueues` lists.
    #[spec(one_of = ["allowAll", "denyAll", "byQueue"])]
    redrive_permission: String,
    /// The source queues for `byQueue`. They may refer to this queue as their dead-letter queue.
    #[spec(items = ..=10)]
    #[serde(default)]
    source_queues: BTreeSet<AfterCreate<Ref<Queue, Arn>>>,
}

/// The read-only attributes of a Queue.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueStatus {
    /// The queue's ARN.
    arn: String,
    /// The queue's URL, which the calls of SQS take. It is also the queue's id.
    url: String,
}

impl Kind for Queue {
    type Status = QueueStatus;
    type Owner = TagOnCreate<QueueTags>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+(\.fifo)?", "has letters, digits and the characters `_-`, and may end with `.fifo`"),
        ..NamingRules::limit(80)
    };
    /// A second CreateQueue call for a name returns the existing queue if the attributes are the same. Otherwise the
    /// call fails.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
        demand(Needs("fifoQueue")).when(&[Stated("deduplicationScope")]),
        demand(Needs("fifoQueue")).when(&[Stated("fifoThroughputLimit")]),
        demand(OneOf("fifoQueue", &["true"])).when(&[Stated("deduplicationScope")]),
        demand(OneOf("fifoQueue", &["true"])).when(&[Stated("fifoThroughputLimit")]),
        demand(OneOf("fifoQueue", &["true"])).when(&[Is("contentBasedDeduplication", &["true"])]),
        demand(OneOf("deduplicationScope", &["messageGroup"]))
            .when(&[Is("fifoThroughputLimit", &["perMessageGroupId"])]),
        demand(Excludes("kmsMasterKeyId")).when(&[Is("sqsManagedSseEnabled", &["true"])]),
        demand(Needs("sourceQueues")).when(&[Is("redrivePermission", &["byQueue"])]).at("redriveAllowPolicy"),
        demand(Excludes("sourceQueues")).when(&[IsNot("redrivePermission", &["byQueue"])]).at("redriveAllowPolicy"),
        demand(ValidPolicy("policy", PolicyType::Resource)),
    ];
    /// Attributes take up to 60 seconds to propagate, and the retention period up to 15 minutes
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(60);

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = sqs(aws).list_queues().max_results(1000).into_paginator().items().send();
        let urls = all(pages).await?;
        let candidates = urls.into_iter().filter(|url| scope.wants(&Listed::id(url).named(name_of(url))).any());
        let found = try_join_all(candidates.map(|url| async move {
            let get = sqs(aws).get_queue_attributes().queue_url(&url).attribute_names(AttributeName::All);
            let Some(output) = get.send().await.or_absent()? else { return Ok(None) };
            let attributes = QueueAttributes(output.attributes.unwrap_or_default());
            let arn = attributes.text(&AttributeName::QueueArn);
            let arn = arn.ok_or_else(|| Error::incomplete("sqs.GetQueueAttributes", "QueueArn"))?;
            let tags = tagging::tags(aws, scope, &arn, || tags_of(aws, &url)).await?;
            Ok::<_, Error>(tags.map(|tags| live(&attributes, arn, url).tags(tags)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        // The update after the create sets the redrive allow policy: its source queues may refer to this queue, and
        // then do not exist yet.
        let stated =
            attributes(&desired.spec).into_iter().filter(|attribute| attribute.1 != AttributeName::RedriveAllowPolicy);
        let mut stated: HashMap<_, _> =
            stated.filter_map(|QueueAttribute(_, key, text, _)| Some((key, text?))).collect();
        if desired.spec.fifo_queue.as_deref() == Some(&true) {
            stated.insert(AttributeName::FifoQueue, "true".into());
        }
        let create = sqs(aws).create_queue().queue_name(&desired.name).set_attributes(Some(stated));
        let output = create.set_tags(Some(desired.tags.clone().into_iter().collect())).send().await?;
        let url = output.queue_url.ok_or_else(|| Error::incomplete("sqs.CreateQueue", "QueueUrl"))?;
        let spec = Queue {
            fifo_queue: desired.spec.fifo_queue.or(Some(ServerDefault(false))),
            redrive_allow_policy: None,
            ..desired.spec.clone()
        };
        let status = aws.arn("sqs", &desired.name).map(|arn| QueueStatus { arn, url: url.clone() });
        Ok(desired.confirmed(&url, status.map(|status| Live { spec, ..desired.as_live(&url, status) })))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let changed = attributes(&desired.spec).into_iter().filter(|attribute| desired.changed(attribute.0));
        let changed =
            changed.map(|QueueAttribute(_, key, text, default)| (key, text.unwrap_or_else(|| default.into())));
        let set = sqs(aws).set_queue_attributes().queue_url(&live.id);
        set.set_attributes(Some(changed.collect())).send().await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        sqs(aws).delete_queue().queue_url(&live.id).send().await?;
        Ok(())
    }
}

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

async fn tags_of(aws: &Aws, url: &str) -> Result<Option<Tags>> {
    let output = sqs(aws).list_queue_tags().queue_url(url).send().await.or_absent()?;
    Ok(output.map(|output| output.tags.unwrap_or_default().into_iter().collect()))
}

/// An attribute of a queue: the field, AWS's name, the desired value, and the value that restores AWS's
/// default.
struct QueueAttribute(FieldName<Queue>, AttributeName, Option<String>, &'static str);

/// Returns the attributes that SetQueueAttributes can change: all except `FifoQueue`.
fn attributes(spec: &Queue) -> Vec<QueueAttribute> {
    let Queue {
        fifo_queue: _,
        visibility_timeout,
        message_retention_period,
        delay_seconds,
        receive_message_wait_time_seconds,
        maximum_message_size,
        redrive_policy,
        redrive_allow_policy,
        policy,
        kms_master_key_id,
        kms_data_key_reuse_period_seconds,
        sqs_managed_sse_enabled,
        content_based_deduplication,
        deduplication_scope,
        fifo_throughput_limit,
    } = spec;
    let number = |number: &Option<ServerDefault<i32>>| number.as_deref().map(ToString::to_string);
    let flag = |flag: &Option<ServerDefault<bool>>| flag.as_deref().map(ToString::to_string);
    let redrive = redrive_policy.as_ref().map(|RedrivePolicy { dead_letter_queue, max_receive_count }| {
        json!({ "deadLetterTargetArn": dead_letter_queue, "maxReceiveCount": max_receive_count }).to_string()
    });
    let allow = redrive_allow_policy.as_ref().map(|RedriveAllowPolicy { redrive_permission, source_queues }| {
        let mut allow = json!({ "redrivePermission": redrive_permission });
        if !source_queues.is_empty() {
            allow["sourceQueueArns"] = json!(source_queues);
        }
        allow.to_string()
    });
    vec![
        QueueAttribute(Queue::KMS_MASTER_KEY_ID, AttributeName::KmsMasterKeyId, kms_master_key_id.clone(), ""),
        QueueAttribute(
            Queue::SQS_MANAGED_SSE_ENABLED,
            AttributeName::SqsManagedSseEnabled,
            flag(sqs_managed_sse_enabled),
            "true",
        ),
        QueueAttribute(
            Queue::KMS_DATA_KEY_REUSE_PERIOD_SECONDS,
            AttributeName::KmsDataKeyReusePeriodSeconds,
            number(kms_data_key_reuse_period_seconds),
            "300",
        ),
        QueueAttribute(Queue::POLICY, AttributeName::Policy, policy.as_ref().map(PolicyDocument::json), ""),
        QueueAttribute(Queue::VISIBILITY_TIMEOUT, AttributeName::VisibilityTimeout, number(visibility_timeout), "30"),
        QueueAttribute(
            Queue::MESSAGE_RETENTION_PERIOD,
            AttributeName::MessageRetentionPeriod,
            number(message_retention_period),
            "345600",
        ),
        QueueAttribute(Queue::DELAY_SECONDS, AttributeName::DelaySeconds, number(delay_seconds), "0"),
        QueueAttribute(
            Queue::RECEIVE_MESSAGE_WAIT_TIME_SECONDS,
            AttributeName::ReceiveMessageWaitTimeSeconds,
            number(receive_message_wait_time_seconds),
            "0",
        ),
        QueueAttribute(
            Queue::MAXIMUM_MESSAGE_SIZE,
            AttributeName::MaximumMessageSize,
            number(maximum_message_size),
            "1048576",
        ),
        QueueAttribute(Queue::REDRIVE_POLICY, AttributeName::RedrivePolicy, redrive, ""),
        QueueAttribute(Queue::REDRIVE_ALLOW_POLICY, AttributeName::RedriveAllowPolicy, allow, ""),
        QueueAttribute(
            Queue::CONTENT_BASED_DEDUPLICATION,
            AttributeName::ContentBasedDeduplication,
            flag(content_based_deduplication),
            "false",
        ),
        QueueAttribute(
            Queue::DEDUPLICATION_SCOPE,
            AttributeName::DeduplicationScope,
            deduplication_scope.clone(),
            "queue",
        ),
        QueueAttribute(
            Queue::FIFO_THROUGHPUT_LIMIT,
            AttributeName::FifoThroughputLimit,
            fifo_throughput_limit.clone(),
            "perQueue",
        ),
    ]
}

fn live(attributes: &QueueAttributes, arn: String, url: String) -> Live<Queue> {
    let number = |key| attributes.number(&key).map(ServerDefault);
    let redrive = |policy: serde_json::Value| {
        let count = &policy["maxReceiveCount"];
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
        Some(RedrivePolicy {
            dead_letter_queue: policy["deadLetterTargetArn"].as_str()?.into(),
            max_receive_count: count.try_into().ok()?,
        })
    };
    let allow = |policy: serde_json::Value| {
        let sources = policy["sourceQueueArns"].as_array().cloned().unwrap_or_default();
        Some(RedriveAllowPolicy {
            redrive_permission: policy["redrivePermission"].as_str()?.to_owned(),
            source_queues: sources.iter().filter_map(|arn| Some(AfterCreate(arn.as_str()?.into()))).collect(),
        })
    };
    let spec = Queue {
        fifo_queue: Some(ServerDefault(attributes.flag(&AttributeName::FifoQueue))),
        visibility_timeout: number(AttributeName::VisibilityTimeout),
        message_retention_period: number(AttributeName::MessageRetentionPeriod),
        delay_seconds: number(AttributeName::DelaySeconds),
        receive_message_wait_time_seconds: number(AttributeName::ReceiveMessageWaitTimeSeconds),
        maximum_message_size: number(AttributeName::MaximumMessageSize),
        redrive_policy: attributes.json(&AttributeName::RedrivePolicy).and_then(redrive),
        // AWS leaves the policy out if it allows all source queues.
        redrive_allow_policy: attributes.json(&AttributeName::RedriveAllowPolicy).and_then(allow),
        policy: attributes.text(&AttributeName::Policy).map(|text| PolicyDocument::parse(&text)),
        kms_master_key_id: attributes.text(&AttributeName::KmsMasterKeyId),
        // AWS leaves the period out if the queue has no KMS key.
        kms_data_key_reuse_period_seconds: number(AttributeName::KmsDataKeyReusePeriodSeconds)
            .or(Some(ServerDefault(300))),
        sqs_managed_sse_enabled: Some(ServerDefault(attributes.flag(&AttributeName::SqsManagedSseEnabled))),
        content_based_deduplication: Some(ServerDefault(attributes.flag(&AttributeName::ContentBasedDeduplication))),
        deduplication_scope: attributes.text(&AttributeName::DeduplicationScope),
        fifo_throughput_limit: attributes.text(&AttributeName::FifoThroughputLimit),
    };
    let name = name_of(&url).to_owned();
    Live::new(url.clone(), name, spec, QueueStatus { arn, url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_max_receive_count_is_read_from_a_number_or_a_string() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/work";
        let of = |count: &str| {
            let policy =
                format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:1:dead","maxReceiveCount":{count}}}"#);
            live(&QueueAttributes([(AttributeName::RedrivePolicy, policy)].into()), String::new(), url.into())
        };
        let counted = |count| of(count).spec.redrive_policy.map(|policy| policy.max_receive_count);
        assert_eq!((counted("5"), counted("\"5\"")), (Some(5), Some(5)));
        assert_eq!(of("5").name, "work");
    }

    #[test]
    fn a_redrive_policy_is_sent_in_the_json_format_of_aws() {
        let spec = Queue {
            redrive_policy: Some(RedrivePolicy { dead_letter_queue: "arn:dead".into(), max_receive_count: 3 }),
            ..Queue::default()
        };
        let sent = attributes(&spec).into_iter().find(|attribute| attribute.1 == AttributeName::RedrivePolicy);
        let text = sent.and_then(|attribute| attribute.2).unwrap_or_default();
        assert_eq!(text, r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":3}"#);
    }
}
