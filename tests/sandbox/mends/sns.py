"""SNS: topics and subscriptions."""
import json

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend
from moto.sns.responses import SNSResponse

from mends import mend

PENDING = ("email", "email-json", "http", "https")  # the protocols with an endpoint that must confirm the subscription
ALWAYS = ("DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId")  # the attributes that moto stores in fields of the topic
FEEDBACK = {f"{kind}{what}" for kind in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
            for what in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")}
MORE = FEEDBACK | {"TracingConfig", "SignatureVersion", "FifoTopic", "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy",
                   "MaximumMessageSize", "DataProtectionPolicy"}


# ---- topics

def keep(topic, name, value):
    """SetTopicAttributes accepts only the documented names. A policy must be JSON. An empty value removes the
    attribute."""
    if name not in (*ALWAYS, *MORE):
        raise SNSInvalidParameter("Invalid parameter: AttributeName")
    if name == "Policy":
        try:
            json.loads(value)
        except ValueError:
            raise SNSInvalidParameter("Invalid parameter: Policy Error: null") from None
        topic.policy = value
    elif name in MORE:
        topic.__dict__.setdefault("more", {})[name] = str(value).lower() if isinstance(value, bool) else value
    else:
        setattr(topic, {"DisplayName": "display_name", "DeliveryPolicy": "delivery_policy", "KmsMasterKeyId": "kms_master_key_id"}[name], value)


@mend(SNSResponse)
def create_topic(moto, self):
    """CreateTopic: an existing name returns the topic's ARN. Different attributes or tags give InvalidParameter."""
    attributes, asked = dict(self._get_param("Attributes") or {}), self._get_tags()
    self.params["Attributes"] = {k: v for k, v in attributes.items() if k == "FifoTopic"}
    name = self._get_param("Name")
    present = next((t for t in self.backend.topics.values() if t.name == name), None)
    if present and asked and asked != present._tags:
        raise SNSInvalidParameter("Invalid parameter: Tags Reason: Topic already exists with different tags")
    if present:
        now = shown(present)
        if any(now.get(k) != v and not (k == "Policy" and json.loads(v) == json.loads(now[k])) for k, v in attributes.items()):
            raise SNSInvalidParameter("Invalid parameter: Attributes Reason: Topic already exists with different attributes")
        return ActionResult({"TopicArn": present.arn})
    answer = moto()
    for attribute, value in attributes.items():
        keep(self.backend.topics[answer.result["TopicArn"]], attribute, value)
    return answer


@mend(SNSResponse)
def set_topic_attributes(moto, self):
    topic = self.backend.get_topic(self._get_param("TopicArn"))
    keep(topic, self._get_param("AttributeName"), self._get_param("AttributeValue") or "")
    return moto() if self._get_param("AttributeName") == "ContentBasedDeduplication" else ActionResult(None)


def shown(topic):
    subscriptions = [s for s in topic.sns_backend.subscriptions.values() if s.topic is topic]
    attributes = {
        "TopicArn": topic.arn, "Owner": topic.account_id, "Policy": topic.policy, "DisplayName": topic.display_name,
        "EffectiveDeliveryPolicy": topic.effective_delivery_policy, "DeliveryPolicy": topic.delivery_policy or None,
        "KmsMasterKeyId": topic.kms_master_key_id or None, "SubscriptionsDeleted": str(topic.subscriptions_deleted),
        "SubscriptionsPending": str(sum(pending(s) for s in subscriptions)),
        "SubscriptionsConfirmed": str(sum(not pending(s) for s in subscriptions)), **getattr(topic, "more", {})}
    return {k: v for k, v in attributes.items() if v not in (None, "") or k == "DisplayName"}


@mend(SNSResponse)
def get_topic_attributes(moto, self):
    """GetTopicAttributes returns every attribute that is set, omits the others, and counts the subscriptions."""
    return ActionResult({"Attributes": shown(self.backend.get_topic(self._get_param("TopicArn")))})


@mend(SNSBackend)
def delete_topic(moto, self, arn):
    deleted = self.topics.get(arn)
    moto(arn)
    if deleted:
        deleted._tags = {}


# ---- subscriptions

def pending(subscription):
    return subscription.protocol in PENDING and not subscription.confirmed


@mend(SNSResponse)
def subscribe(moto, self):
    """Subscribe: before confirmation the answer is "pending confirmation", or the ARN with ReturnSubscriptionArn."""
    answer = moto()
    made = self.backend.subscriptions[answer.result["SubscriptionArn"]]
    made.attributes["PendingConfirmation"] = pending(made)
    made.attributes["ConfirmationWasAuthenticated"] = not pending(made)
    if pending(made) and not self._get_bool_param("ReturnSubscriptionArn"):
        return ActionResult({"SubscriptionArn": "pending confirmation"})
    return answer


def listed(answer):
    """In lists Subscription.SubscriptionArn is PendingConfirmation until the subscription is confirmed."""
    answer.result["Subscriptions"] = [
        {"SubscriptionArn": "PendingConfirmation" if pending(s) else s.arn, "Owner": s.owner, "Protocol": s.protocol, "Endpoint": s.endpoint,
         "TopicArn": s.topic_arn} for s in answer.result["Subscriptions"]]
    return answer


@mend(SNSResponse)
def list_subscriptions(moto, self):
    return listed(moto())


@mend(SNSResponse)
def list_subscriptions_by_topic(moto, self):
    return listed(moto())


@mend(SNSResponse)
def unsubscribe(moto, self):
    """Unsubscribe needs an ARN. PendingConfirmation is not an ARN."""
    if not self._get_param("SubscriptionArn").startswith("arn:"):
        raise SNSInvalidParameter("Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1")
    return moto()


@mend(SNSResponse)
def confirm_subscription(moto, self):
    """ConfirmSubscription: in the sandbox the token is the endpoint, because no email with a token is sent."""
    for subscription in self.backend.subscriptions.values():
        if (subscription.topic_arn, subscription.endpoint) == (self._get_param("TopicArn"), self._get_param("Token")):
            subscription.confirmed = True
            subscription.attributes.update(PendingConfirmation=False, ConfirmationWasAuthenticated=False)
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid parameter: Token")
