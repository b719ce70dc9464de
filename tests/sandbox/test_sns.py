"""SNS behaves as its API Reference documents it."""
import json

from conftest import refused, tags


def attributes(sns, arn):
    return sns.get_topic_attributes(TopicArn=arn)["Attributes"]


def test_create_topic_is_idempotent(aws):
    """CreateTopic returns the same topic for the same request. GetTopicAttributes, SetTopicAttributes and tags."""
    sns, asked = aws("sns"), dict(Name="t", Attributes={"DisplayName": "D", "TracingConfig": "Active"}, Tags=tags(a="b"))
    arn = sns.create_topic(**asked)["TopicArn"]
    assert sns.create_topic(**asked)["TopicArn"] == arn and sns.create_topic(Name="t")["TopicArn"] == arn
    assert "different tags" in refused("InvalidParameter", sns.create_topic, Name="t", Tags=tags(a="c"))
    assert "different attributes" in refused("InvalidParameter", sns.create_topic, Name="t", Attributes={"DisplayName": "E"})
    shown = attributes(sns, arn)
    assert (shown["DisplayName"], shown["TracingConfig"], shown["SubscriptionsPending"]) == ("D", "Active", "0")
    assert "KmsMasterKeyId" not in shown and "DeliveryPolicy" not in shown
    assert json.loads(shown["Policy"])["Statement"][0]["Sid"] == "__default_statement_ID"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": arn}]})
    for name, value in (("Policy", policy), ("KmsMasterKeyId", "alias/aws/sns"), ("DisplayName", "E")):
        sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
    shown = attributes(sns, arn)
    assert json.loads(shown["Policy"]) == json.loads(policy) and (shown["KmsMasterKeyId"], shown["DisplayName"]) == ("alias/aws/sns", "E")
    sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue="")
    assert "KmsMasterKeyId" not in attributes(sns, arn)
    refused("InvalidParameter", sns.set_topic_attributes, TopicArn=arn, AttributeName="Policy", AttributeValue="{")
    refused("InvalidParameter", sns.set_topic_attributes, TopicArn=arn, AttributeName="Nonsense", AttributeValue="1")
    sns.tag_resource(ResourceArn=arn, Tags=tags(c="d"))
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags(c="d")
    for _ in range(2):
        sns.delete_topic(TopicArn=arn)  # "deleting a topic that does not exist does not result in an error"
    refused("NotFound", sns.get_topic_attributes, TopicArn=arn)


def test_email_subscription_is_pending_until_it_is_confirmed(aws):
    """Subscribe: "pending confirmation". ListSubscriptionsByTopic: PendingConfirmation, until the endpoint confirms."""
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    asked = dict(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    assert sns.subscribe(**asked)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**asked, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert arn.startswith(topic + ":")

    def listed():
        return [s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]

    assert listed() == ["PendingConfirmation"] and attributes(sns, topic)["SubscriptionsPending"] == "1"
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    refused("InvalidParameter", sns.unsubscribe, SubscriptionArn="PendingConfirmation")
    sns.confirm_subscription(TopicArn=topic, Token="ops@example.org")
    assert listed() == [arn] and attributes(sns, topic)["SubscriptionsConfirmed"] == "1"
    sns.unsubscribe(SubscriptionArn=arn)
    assert listed() == []


def test_queue_subscription_needs_no_confirmation(aws):
    """SetSubscriptionAttributes. A queue needs no confirmation."""
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    endpoint = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"]
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue='{"a": ["b"]}')
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (shown["RawMessageDelivery"], shown["PendingConfirmation"], shown["FilterPolicyScope"]) == ("true", "false", "MessageAttributes")
    assert json.loads(shown["FilterPolicy"]) == {"a": ["b"]}
    sns.delete_topic(TopicArn=topic)
    refused("NotFound", sns.get_subscription_attributes, SubscriptionArn=arn)
