//! Queue: messages that wait until somebody has done what they ask for.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_sqs::types::QueueAttributeName as Key;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging::{self, Tags};
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Late, Policy, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Attribute, Told, sqs};

/// A queue. Its name has at most 80 letters, digits, hyphens and underscores; the name of a FIFO queue has to be stated
/// and to end in `.fifo`. A name is free again 60 seconds after its queue was deleted
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>). Deleting one deletes
/// its messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queue {
    /// Whether messages keep their order.
    #[spec(immutable)]
    fifo_queue: Option<Always<bool>>,
    /// Seconds for which nobody else gets a message that somebody has received: 0 to 43200. AWS's default is 30.
    visibility_timeout: Option<Always<i32>>,
    /// Seconds that a message waits at most: 60 to 1209600 (14 days). AWS's default is 345600 (4 days).
    message_retention_period: Option<Always<i32>>,
    /// Seconds until a new message can be received: 0 (AWS's default) to 900.
    delay_seconds: Option<Always<i32>>,
    /// Seconds that a receiver waits for a message: 0 (AWS's default: answer at once) to 20.
    receive_message_wait_time_seconds: Option<Always<i32>>,
    /// The greatest message, in bytes: 1024 to 1048576, which is AWS's default
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
    maximum_message_size: Option<Always<i32>>,
    /// Where messages go that nobody can handle; `null` for nowhere.
    redrive_policy: Option<RedrivePolicy>,
    /// Which queues may send what they cannot handle here; `null` for all of the account.
    redrive_allow_policy: Option<RedriveAllowPolicy>,
    /// Who may use it, beyond the account itself; `null` for nobody. It can read the queue: `${Queue.work.arn}`. An
    /// EventRule whose target is the queue waits for it, and so must not be read in it: write its ARN as a text,
    /// `arn:aws:events:<region>:<account>:rule/<name>`.
    policy: Option<Policy>,
    /// The key that encrypts messages: an id, an ARN or an alias such as `alias/aws/sqs`; `null` for none. SQS and
    /// EventBridge can use a key only if its policy lets them
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>).
    kms_master_key_id: Option<String>,
    /// Seconds that a data key is used again before SQS asks KMS for another: 60 to 86400. AWS's default is 300.
    kms_data_key_reuse_period_seconds: Option<Always<i32>>,
    /// Whether keys of SQS encrypt messages: true (AWS's default) unless there is a key of KMS.
    sqs_managed_sse_enabled: Option<Always<bool>>,
    /// Whether the same body within five minutes is the same message; FIFO queues only.
    content_based_deduplication: Option<Always<bool>>,
    /// `queue` (AWS's default) or `messageGroup`: where a message is the same as another; FIFO queues only.
    deduplication_scope: Option<String>,
    /// `perQueue` (AWS's default) or `perMessageGroupId`, for high throughput, which needs `messageGroup` above; FIFO
    /// queues only.
    fifo_throughput_limit: Option<String>,
}

/// Where messages go that nobody can handle.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedrivePolicy {
    /// The queue that takes them: a FIFO queue for a FIFO queue, and a standard one for a standard one.
    dead_letter_queue: Ref<Queue, Arn>,
    /// How often a message is received before it goes there: 1 to 1000.
    max_receive_count: i32,
}

/// Which queues may send what they cannot handle here.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedriveAllowPolicy {
    /// `allowAll`, `denyAll` or `byQueue`.
    redrive_permission: String,
    /// With `byQueue`: those queues, at most ten. They may name this one as theirs.
    #[serde(default)]
    source_queues: BTreeSet<Late<Ref<Queue, Arn>>>,
}

/// What only AWS knows of a Queue.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueStatus {
    /// Its ARN.
    arn: String,
    /// Its URL, which programs take; also its id.
    url: String,
}

impl Kind for Queue {
    type Status = QueueStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(80);
    /// A second create of a name answers the first queue when it asks for the same, and is refused otherwise.
    const CLASS: CreateClass = CreateClass::Name;
    /// Attributes take up to a minute to spread, and the retention up to 15
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
    const LAG_SECONDS: u32 = 60;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let pages = sqs(aws).list_queues().max_results(1000).into_paginator().items().send();
        let urls = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let wanted = urls.into_iter().filter(|url| {
            let name = name_of(url);
            by_fields || scope.is_candidate(name) || scope.ids.contains(url) || scope.ids.contains(name)
        });
        let found = try_join_all(wanted.map(|url| async move {
            let get = sqs(aws).get_queue_attributes().queue_url(&url).attribute_names(Key::All);
            let Some(answer) = get.send().await.or_absent()? else { return Ok(None) };
            let told = Told(answer.attributes.unwrap_or_default());
            let arn = told.text(&Key::QueueArn);
            let arn = arn.ok_or_else(|| Error::incomplete("sqs.GetQueueAttributes", "QueueArn"))?;
            let tags = tagging::tags(aws, scope, &arn, || tags_of(aws, &url)).await?;
            Ok::<_, Error>(tags.map(|tags| live(&told, arn, url).tags(tags)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        // Who may send here follows: those queues may name this one, and then do not exist yet.
        let stated = attributes(&desired.spec).into_iter().filter(|attribute| attribute.1 != Key::RedriveAllowPolicy);
        let mut stated: HashMap<_, _> = stated.filter_map(|Attribute(_, key, text, _)| Some((key, text?))).collect();
        if desired.spec.fifo_queue.as_deref() == Some(&true) {
            stated.insert(Key::FifoQueue, "true".into());
        }
        let create = sqs(aws).create_queue().queue_name(&desired.name).set_attributes(Some(stated));
        let made = create.set_tags(Some(desired.tags.clone().into_iter().collect())).send().await?;
        let url = made.queue_url.ok_or_else(|| Error::incomplete("sqs.CreateQueue", "QueueUrl"))?;
        let spec = Queue {
            fifo_queue: desired.spec.fifo_queue.or(Some(Always(false))),
            redrive_allow_policy: None,
            ..desired.spec.clone()
        };
        let told = aws.arn("sqs", &desired.name).map(|arn| QueueStatus { arn, url: url.clone() });
        Ok(desired.told(&url, told.map(|status| Live { spec, ..desired.made(&url, status) })))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let changed = attributes(&desired.spec).into_iter().filter(|attribute| desired.changed(attribute.0));
        let changed = changed.map(|Attribute(_, key, text, default)| (key, text.unwrap_or_else(|| default.into())));
        let set = sqs(aws).set_queue_attributes().queue_url(&live.id);
        set.set_attributes(Some(changed.collect())).send().await?;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        sqs(aws).delete_queue().queue_url(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            let set = set.clone().into_iter().collect();
            sqs(aws).tag_queue().queue_url(&live.id).set_tags(Some(set)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            sqs(aws).untag_queue().queue_url(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

async fn tags_of(aws: &Aws, url: &str) -> Result<Option<Tags>> {
    let answer = sqs(aws).list_queue_tags().queue_url(url).send().await.or_absent()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// The attributes that can be set, but for whether it is a FIFO queue.
fn attributes(spec: &Queue) -> Vec<Attribute> {
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
    let number = |number: &Option<Always<i32>>| number.as_deref().map(ToString::to_string);
    let flag = |flag: &Option<Always<bool>>| flag.as_deref().map(ToString::to_string);
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
        Attribute("kmsMasterKeyId", Key::KmsMasterKeyId, kms_master_key_id.clone(), ""),
        Attribute("sqsManagedSseEnabled", Key::SqsManagedSseEnabled, flag(sqs_managed_sse_enabled), "true"),
        Attribute(
            "kmsDataKeyReusePeriodSeconds",
            Key::KmsDataKeyReusePeriodSeconds,
            number(kms_data_key_reuse_period_seconds),
            "300",
        ),
        Attribute("policy", Key::Policy, policy.as_ref().map(Policy::json), ""),
        Attribute("visibilityTimeout", Key::VisibilityTimeout, number(visibility_timeout), "30"),
        Attribute("messageRetentionPeriod", Key::MessageRetentionPeriod, number(message_retention_period), "345600"),
        Attribute("delaySeconds", Key::DelaySeconds, number(delay_seconds), "0"),
        Attribute(
            "receiveMessageWaitTimeSeconds",
            Key::ReceiveMessageWaitTimeSeconds,
            number(receive_message_wait_time_seconds),
            "0",
        ),
        Attribute("maximumMessageSize", Key::MaximumMessageSize, number(maximum_message_size), "1048576"),
        Attribute("redrivePolicy", Key::RedrivePolicy, redrive, ""),
        Attribute("redriveAllowPolicy", Key::RedriveAllowPolicy, allow, ""),
        Attribute(
            "contentBasedDeduplication",
            Key::ContentBasedDeduplication,
            flag(content_based_deduplication),
            "false",
        ),
        Attribute("deduplicationScope", Key::DeduplicationScope, deduplication_scope.clone(), "queue"),
        Attribute("fifoThroughputLimit", Key::FifoThroughputLimit, fifo_throughput_limit.clone(), "perQueue"),
    ]
}

fn live(told: &Told, arn: String, url: String) -> Live<Queue> {
    let number = |key| told.number(&key).map(Always);
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
            source_queues: sources.iter().filter_map(|arn| Some(Late(arn.as_str()?.into()))).collect(),
        })
    };
    let spec = Queue {
        fifo_queue: Some(Always(told.flag(&Key::FifoQueue))),
        visibility_timeout: number(Key::VisibilityTimeout),
        message_retention_period: number(Key::MessageRetentionPeriod),
        delay_seconds: number(Key::DelaySeconds),
        receive_message_wait_time_seconds: number(Key::ReceiveMessageWaitTimeSeconds),
        maximum_message_size: number(Key::MaximumMessageSize),
        redrive_policy: told.json(&Key::RedrivePolicy).and_then(redrive),
        // AWS says nothing of what lets all in.
        redrive_allow_policy: told.json(&Key::RedriveAllowPolicy).and_then(allow),
        policy: told.text(&Key::Policy).map(|text| Policy::parse(&text)),
        kms_master_key_id: told.text(&Key::KmsMasterKeyId),
        // AWS says nothing of it where there is no key.
        kms_data_key_reuse_period_seconds: number(Key::KmsDataKeyReusePeriodSeconds).or(Some(Always(300))),
        sqs_managed_sse_enabled: Some(Always(told.flag(&Key::SqsManagedSseEnabled))),
        content_based_deduplication: Some(Always(told.flag(&Key::ContentBasedDeduplication))),
        deduplication_scope: told.text(&Key::DeduplicationScope),
        fifo_throughput_limit: told.text(&Key::FifoThroughputLimit),
    };
    let name = name_of(&url).to_owned();
    Live::new(url.clone(), name, spec, QueueStatus { arn, url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_counts_in_numbers_and_in_words() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/work";
        let of = |count: &str| {
            let policy =
                format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:1:dead","maxReceiveCount":{count}}}"#);
            live(&Told([(Key::RedrivePolicy, policy)].into()), String::new(), url.into())
        };
        let counted = |count| of(count).spec.redrive_policy.map(|policy| policy.max_receive_count);
        assert_eq!((counted("5"), counted("\"5\"")), (Some(5), Some(5)));
        assert_eq!(of("5").name, "work");
    }

    #[test]
    fn the_policy_is_sent_as_aws_spells_it() {
        let spec = Queue {
            redrive_policy: Some(RedrivePolicy { dead_letter_queue: "arn:dead".into(), max_receive_count: 3 }),
            ..Queue::default()
        };
        let sent = attributes(&spec).into_iter().find(|attribute| attribute.1 == Key::RedrivePolicy);
        let text = sent.and_then(|attribute| attribute.2).unwrap_or_default();
        assert_eq!(text, r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":3}"#);
    }
}
