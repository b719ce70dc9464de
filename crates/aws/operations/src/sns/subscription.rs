//! Subscription: an endpoint that receives the messages of an SNS topic.

use aws_sdk_sns::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{Child, ViaParent};
use holdfast_base::sdk::all;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{Form, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, Named as _, NamingRules, Replacement, Tier};
use holdfast_core::types::{JsonText, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::topic::Topic;
use super::{SnsAttribute, SnsAttributes, changes, sns, stated};

/// The scope of a filter policy that applies to the body of a message, and that may be nested.
const BODY: &str = "MessageBody";

/// A subscription to an SNS topic.
///
/// A subscription by e-mail or over HTTP must be confirmed at the endpoint. Until then it counts as ready, and has a
/// condition of type `ActionRequired`. AWS deletes an unconfirmed subscription after 48 hours and cannot delete it
/// sooner (<https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html>). Holdfast then subscribes
/// again, and AWS sends another confirmation request.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// The topic.
    #[spec(immutable)]
    topic: Ref<Topic>,
    /// The protocol (<https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>).
    #[spec(immutable, one_of = ["email", "email-json", "sms", "http", "https", "sqs", "lambda", "application", "firehose"])]
    protocol: String,
    /// The endpoint that receives the messages: an e-mail address, a telephone number, a URL, or the ARN of the queue
    /// or function.
    #[spec(immutable)]
    endpoint: String,
    /// The scope of the filter policy.
    #[spec(one_of = ["MessageAttributes", "MessageBody"], default = "MessageAttributes")]
    filter_policy_scope: Option<String>,
    /// The filter policy: which messages the subscription receives; `null` for all messages. A change takes up to 15
    /// minutes to take effect (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html>).
    filter_policy: Option<JsonText>,
    /// Whether raw message delivery is on: messages are delivered without the JSON envelope of SNS. `sqs`, `http` and
    /// `https` only. AWS's default is false.
    #[spec(default = false)]
    raw_message_delivery: Option<bool>,
    /// The redrive policy: the dead-letter queue for messages that cannot be delivered, `{ deadLetterTargetArn: … }`.
    redrive_policy: Option<JsonText>,
    /// The delivery policy: how deliveries over HTTP are retried.
    delivery_policy: Option<JsonText>,
}

/// The read-only attributes of a Subscription.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionStatus {
    /// The subscription's ARN; `null` until the subscription is confirmed.
    arn: Option<String>,
}

impl Kind for Subscription {
    type Status = SubscriptionStatus;
    type Owner = ViaParent;
    const TIER: Tier = Tier::Operations;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    /// <https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html>
    const DELETED_WITH: Option<&'static str> = Some(Subscription::TOPIC.name());
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
        demand(Form("endpoint", r"[^@\s]+@[^@\s]+", "an e-mail address"))
            .when(&[Is("protocol", &["email", "email-json"])]),
        demand(Form("endpoint", "http://.+", "a URL that begins with `http://`")).when(&[Is("protocol", &["http"])]),
        demand(Form("endpoint", "https://.+", "a URL that begins with `https://`")).when(&[Is("protocol", &["https"])]),
        demand(Form("endpoint", "arn:.+", "an ARN"))
            .when(&[Is("protocol", &["sqs", "lambda", "firehose", "application"])]),
        demand(Form("endpoint", r"\+?[0-9][0-9. -]+", "a telephone number, such as `+12065550100`"))
            .when(&[Is("protocol", &["sms"])]),
        demand(OneOf("protocol", &["http", "https"])).when(&[Stated("deliveryPolicy")]),
        // A subscription without a filter policy has no scope
        // (https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering-scope.html).
        demand(Needs("filterPolicy")).when(&[Is("filterPolicyScope", &[BODY])]),
        demand(OneOf("protocol", &["sqs", "http", "https", "firehose"])).when(&[Is("rawMessageDelivery", &["true"])]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = sns(aws).list_subscriptions().into_paginator().items().send();
        let all = all(pages).await?;
        each(all, |subscription| async move {
            let topic = subscription.topic_arn().unwrap_or_default();
            let name = topic.rsplit(':').next().unwrap_or_default();
            let arn = subscription.subscription_arn().unwrap_or_default();
            let spec = live(&subscription, arn, &SnsAttributes::default()).spec;
            let listed = Listed::id(arn).child_of(Topic::KIND, name).child_of(Topic::KIND, topic).spec(&spec);
            // ListSubscriptions returns a deleted subscription for days, with `Deleted` in place of its ARN.
            if arn == "Deleted" || !scope.wants(&listed).any() {
                return Ok(None);
            }
            if !is_confirmed(arn) {
                return Ok(Some(pending(&subscription)));
            }
            let detail = sns(aws).get_subscription_attributes().subscription_arn(arn).send().await.or_absent()?;
            Ok(detail.map(|detail| live(&subscription, arn, &SnsAttributes(detail.attributes.unwrap_or_default()))))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Subscription { topic, protocol, endpoint, .. } = &desired.spec;
        let sent = stated(attributes(&desired.spec));
        let output = sns(aws)
            .subscribe()
            .topic_arn(topic.as_str())
            .protocol(protocol)
            .endpoint(endpoint)
            .set_attributes(sent.clone())
            .send()
            .await?;
        let arn = output.subscription_arn.unwrap_or_default();
        let subscription =
            sdk::Subscription::builder().topic_arn(topic.as_str()).protocol(protocol).endpoint(endpoint).build();
        let live = match is_confirmed(&arn) {
            true => live(&subscription, &arn, &SnsAttributes(sent.unwrap_or_default())),
            false => pending(&subscription),
        };
        Ok(live.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Some(arn) = &live.status.arn else {
            let message = "the subscription is not confirmed yet; confirm it at the endpoint first";
            return Err(Error::not_yet("sns.SetSubscriptionAttributes", message));
        };
        for (key, text) in changes(desired, attributes(&desired.spec)) {
            // SNS takes a redrive policy off if the value is left out, and refuses an empty value
            // (https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html: the value is optional;
            // https://github.com/crossplane-contrib/provider-aws/issues/2071).
            let text = Some(text).filter(|text| !text.is_empty());
            let set = sns(aws).set_subscription_attributes().subscription_arn(arn);
            set.attribute_name(key).set_attribute_value(text).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // An unconfirmed subscription cannot be deleted. AWS deletes it by itself.
        if let Some(arn) = &live.status.arn {
            sns(aws).unsubscribe().subscription_arn(arn).send().await?;
        }
        Ok(())
    }
}

impl Child for Subscription {
    const PARENT: FieldName<Self> = Self::TOPIC;
    const KEY: &'static [&'static str] = &[Self::PROTOCOL.name(), Self::ENDPOINT.name()];
}

/// Returns the attributes that can be set, in the order in which SNS accepts them. A nested filter policy needs the scope
/// `MessageBody`, so the scope comes first then, and otherwise last. AWS returns the attributes of confirmed
/// subscriptions only.
fn attributes(spec: &Subscription) -> [SnsAttribute<Subscription>; 5] {
    let Subscription {
        topic: _,
        protocol: _,
        endpoint: _,
        filter_policy_scope,
        filter_policy,
        raw_message_delivery,
        redrive_policy,
        delivery_policy,
    } = spec;
    let is_nested = filter_policy_scope.as_deref() == Some(BODY);
    let scope =
        SnsAttribute(Subscription::FILTER_POLICY_SCOPE, filter_policy_scope.clone(), "MessageAttributes".into());
    let policy = SnsAttribute::json(Subscription::FILTER_POLICY, filter_policy, "{}");
    let (first, second) = if is_nested { (scope, policy) } else { (policy, scope) };
    [
        first,
        second,
        SnsAttribute(
            Subscription::RAW_MESSAGE_DELIVERY,
            raw_message_delivery.map(|raw| raw.to_string()),
            "false".into(),
        ),
        SnsAttribute::json(Subscription::REDRIVE_POLICY, redrive_policy, ""),
        SnsAttribute::json(Subscription::DELIVERY_POLICY, delivery_policy, ""),
    ]
}

/// True for the ARN of a confirmed subscription. Otherwise ListSubscriptions returns `PendingConfirmation` in place of
/// the ARN, and Subscribe returns `pending confirmation`.
fn is_confirmed(arn: &str) -> bool {
    arn.starts_with("arn:")
}

/// Returns the id of an unconfirmed subscription, which has no ARN yet.
fn pending_id(topic: &str, protocol: &str, endpoint: &str) -> String {
    format!("pending:{topic}:{protocol}:{endpoint}")
}

/// Returns the live state of an unconfirmed subscription.
fn pending(subscription: &sdk::Subscription) -> Live<Subscription> {
    let live = live(subscription, "", &SnsAttributes::default());
    let Subscription { topic, protocol, endpoint, .. } = &live.spec;
    let id = pending_id(topic.as_str(), protocol, endpoint);
    let message = format!("{endpoint} must confirm the subscription; AWS deletes it 48 hours after it was created");
    // The attributes of the Subscribe call take effect at the confirmation. AWS does not return them before.
    let scheduled = attributes(&live.spec).iter().map(|attribute| attribute.0.name().to_owned()).collect();
    Live { id, status: SubscriptionStatus { arn: None }, scheduled, bound: true, ..live }
        .action_required("AwaitingConfirmation", message)
}

fn live(subscription: &sdk::Subscription, arn: &str, attributes: &SnsAttributes) -> Live<Subscription> {
    let spec = Subscription {
        topic: Ref::new(subscription.topic_arn.clone().unwrap_or_default()),
        protocol: subscription.protocol.clone().unwrap_or_default(),
        endpoint: subscription.endpoint.clone().unwrap_or_default(),
        filter_policy_scope: attributes.text("FilterPolicyScope"),
        filter_policy: attributes.json("FilterPolicy"),
        raw_message_delivery: attributes.flag("RawMessageDelivery"),
        redrive_policy: attributes.json("RedrivePolicy"),
        delivery_policy: attributes.json("DeliveryPolicy"),
    };
    Live::new(arn, "", spec, SubscriptionStatus { arn: Some(arn.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unconfirmed_subscription_has_its_own_id_and_scheduled_attributes() {
        let live_for = |endpoint: &str| {
            let subscription = sdk::Subscription::builder().topic_arn("arn:t").protocol("email").endpoint(endpoint);
            pending(&subscription.subscription_arn("PendingConfirmation").build())
        };
        let live = live_for("a@example.com");
        assert_ne!(live.id, live_for("b@example.com").id);
        assert_eq!(live.id, pending_id("arn:t", "email", "a@example.com"));
        assert_eq!(live.conditions[0].reason, "AwaitingConfirmation");
        assert!(live.scheduled.contains("filterPolicy"), "{:?}", live.scheduled);
    }

    #[test]
    fn the_filter_policy_of_a_confirmed_subscription_is_read_as_json() {
        let attributes = SnsAttributes([("FilterPolicy".into(), r#"{"level":["high"]}"#.into())].into());
        let live = live(&sdk::Subscription::builder().build(), "arn:s", &attributes);
        assert_eq!(live.spec.filter_policy, Some(JsonText(serde_json::json!({"level": ["high"]}))));
    }
}
