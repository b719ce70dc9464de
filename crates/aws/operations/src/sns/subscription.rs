//! Subscription: who gets what a topic publishes.

use aws_sdk_sns::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, each};
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Named as _, Naming, Replace, Tier};
use holdfast_core::types::{JsonText, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::topic::Topic;
use super::{Attribute, Told, changes, sns, stated};

/// A subscription to a topic. By e-mail and over HTTP somebody has to confirm it: until then it counts as
/// done, with a remark. AWS drops an unconfirmed one after 48 hours, and cannot delete it sooner
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html>); Holdfast then subscribes
/// again, and AWS asks again.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// The topic.
    #[spec(immutable)]
    topic: Ref<Topic>,
    /// `email`, `email-json`, `sms`, `http`, `https`, `sqs`, `lambda` or `application`.
    #[spec(immutable)]
    protocol: String,
    /// An e-mail address, a telephone number, a URL, or the ARN of the queue or function.
    #[spec(immutable)]
    endpoint: String,
    /// `MessageAttributes` (AWS's default) or `MessageBody`: what the filter looks at.
    filter_policy_scope: Option<String>,
    /// Which messages it gets; `null` for all. A change takes up to 15 minutes to work
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html>).
    filter_policy: Option<JsonText>,
    /// Whether messages come without SNS's JSON around them; `sqs`, `http` and `https` only.
    raw_message_delivery: Option<bool>,
    /// Where undeliverable messages go: `{ deadLetterTargetArn: … }`.
    redrive_policy: Option<JsonText>,
    /// How deliveries over HTTP are repeated.
    delivery_policy: Option<JsonText>,
}

/// What only AWS knows of a Subscription.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionStatus {
    /// Its ARN, once it is confirmed.
    arn: Option<String>,
}

impl Kind for Subscription {
    type Status = SubscriptionStatus;
    const TIER: Tier = Tier::Operations;
    const CLAIM: Claim = Claim::Parent { field: "topic", key: &["protocol", "endpoint"] };
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = sns(aws).list_subscriptions().into_paginator().items().send();
        let all = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        each(all, |one| async move {
            let topic = one.topic_arn().unwrap_or_default();
            let name = topic.rsplit(':').next().unwrap_or_default();
            let arn = one.subscription_arn().unwrap_or_default();
            let parent = scope.is_parent(Topic::KIND, name) || scope.is_parent(Topic::KIND, topic);
            let asked_for = scope.ids.contains(arn) || !scope.lookups.is_empty();
            // A deleted one is listed for days, with this word in place of its ARN.
            if arn == "Deleted" || !(parent || asked_for) {
                return Ok(None);
            }
            if !is_confirmed(arn) {
                return Ok(Some(pending(&one)));
            }
            let detail = sns(aws).get_subscription_attributes().subscription_arn(arn).send().await.or_absent()?;
            Ok(detail.map(|detail| live(&one, arn, &Told(detail.attributes.unwrap_or_default()))))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Subscription { topic, protocol, endpoint, .. } = &desired.spec;
        let sent = stated(attributes(&desired.spec));
        let made = sns(aws)
            .subscribe()
            .topic_arn(topic.as_str())
            .protocol(protocol)
            .endpoint(endpoint)
            .set_attributes(sent.clone())
            .send()
            .await?;
        let arn = made.subscription_arn.unwrap_or_default();
        let one = sdk::Subscription::builder().topic_arn(topic.as_str()).protocol(protocol).endpoint(endpoint).build();
        let told = match is_confirmed(&arn) {
            true => live(&one, &arn, &Told(sent.unwrap_or_default())),
            false => pending(&one),
        };
        Ok(told.into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Some(arn) = &live.status.arn else {
            return Err(Error::not_yet("sns.SetSubscriptionAttributes", "the subscription is not confirmed yet"));
        };
        for (key, text) in changes(desired, attributes(&desired.spec)) {
            let set = sns(aws).set_subscription_attributes().subscription_arn(arn);
            set.attribute_name(key).attribute_value(text).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // An unconfirmed one cannot be deleted; AWS forgets it by itself.
        if let Some(arn) = &live.status.arn {
            sns(aws).unsubscribe().subscription_arn(arn).send().await?;
        }
        Ok(())
    }
}

/// The attributes, the scope before the filter, which may need it; AWS shows those of a confirmed one only.
fn attributes(spec: &Subscription) -> [Attribute; 5] {
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
    [
        Attribute("FilterPolicyScope", filter_policy_scope.clone(), "MessageAttributes".into()),
        Attribute::json("FilterPolicy", filter_policy, "{}"),
        Attribute("RawMessageDelivery", raw_message_delivery.map(|raw| raw.to_string()), "false".into()),
        Attribute::json("RedrivePolicy", redrive_policy, ""),
        Attribute::json("DeliveryPolicy", delivery_policy, ""),
    ]
}

/// Instead of an ARN the list says `PendingConfirmation`, and Subscribe says `pending confirmation`.
fn is_confirmed(arn: &str) -> bool {
    arn.starts_with("arn:")
}

/// An id for what AWS has not given one yet.
fn pending_id(topic: &str, protocol: &str, endpoint: &str) -> String {
    format!("pending:{topic}:{protocol}:{endpoint}")
}

fn pending(one: &sdk::Subscription) -> Live<Subscription> {
    let live = live(one, "", &Told::default());
    let Subscription { topic, protocol, endpoint, .. } = &live.spec;
    let id = pending_id(topic.as_str(), protocol, endpoint);
    let message = format!("{endpoint} has to confirm the subscription; AWS drops it 48 hours after it was made");
    // What Subscribe was given takes effect with the confirmation; until then it cannot be seen.
    let scheduled = attributes(&live.spec).iter().map(Attribute::field).collect();
    Live { id, status: SubscriptionStatus { arn: None }, scheduled, bound: true, ..live }
        .remark("AwaitingConfirmation", message)
}

fn live(one: &sdk::Subscription, arn: &str, told: &Told) -> Live<Subscription> {
    let spec = Subscription {
        topic: Ref::new(one.topic_arn.clone().unwrap_or_default()),
        protocol: one.protocol.clone().unwrap_or_default(),
        endpoint: one.endpoint.clone().unwrap_or_default(),
        filter_policy_scope: told.text("FilterPolicyScope"),
        filter_policy: told.json("FilterPolicy"),
        raw_message_delivery: told.flag("RawMessageDelivery"),
        redrive_policy: told.json("RedrivePolicy"),
        delivery_policy: told.json("DeliveryPolicy"),
    };
    Live::new(arn, "", spec, SubscriptionStatus { arn: Some(arn.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_one_has_an_id_of_its_own_and_cannot_be_changed() {
        let one = |endpoint: &str| {
            let one = sdk::Subscription::builder().topic_arn("arn:t").protocol("email").endpoint(endpoint);
            pending(&one.subscription_arn("PendingConfirmation").build())
        };
        let live = one("a@example.com");
        assert_ne!(live.id, one("b@example.com").id);
        assert_eq!(live.id, pending_id("arn:t", "email", "a@example.com"));
        assert_eq!(live.remarks[0].reason, "AwaitingConfirmation");
        assert!(live.scheduled.contains("filterPolicy"), "{:?}", live.scheduled);
    }

    #[test]
    fn a_confirmed_one_tells_its_filter() {
        let told = Told([("FilterPolicy".into(), r#"{"level":["high"]}"#.into())].into());
        let live = live(&sdk::Subscription::builder().build(), "arn:s", &told);
        assert_eq!(live.spec.filter_policy, Some(JsonText(serde_json::json!({"level": ["high"]}))));
    }
}
