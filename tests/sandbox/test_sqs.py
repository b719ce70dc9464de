"""SQS behaves as its API Reference documents it."""
import json

import pytest


@pytest.fixture
def queue(aws):
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="work", tags={"a": "b"})["QueueUrl"]

    def attributes(**changes):
        if changes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    attributes.url = url
    return attributes


def test_set_queue_attributes_keeps_the_other_attributes(queue):
    """SetQueueAttributes: the policy is kept when another attribute is set. An empty string removes it."""
    assert queue()["SqsManagedSseEnabled"] == "true" and queue()["MaximumMessageSize"] == "1048576" and "RedriveAllowPolicy" not in queue()
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"}]})
    assert queue(Policy=policy)["Policy"] == policy
    assert queue(DelaySeconds="5")["Policy"] == policy
    assert "Policy" not in queue(Policy="")
    allow = json.dumps({"redrivePermission": "denyAll"})
    assert queue(RedriveAllowPolicy=allow)["RedriveAllowPolicy"] == allow
    assert "RedriveAllowPolicy" not in queue(RedriveAllowPolicy="")


def test_sse_sqs_and_sse_kms_exclude_each_other(queue):
    """SSE-SQS and SSE-KMS exclude each other."""
    assert queue(KmsMasterKeyId="alias/aws/sqs")["SqsManagedSseEnabled"] == "false"
    assert "KmsMasterKeyId" not in queue(SqsManagedSseEnabled="true")


def test_name_of_a_deleted_queue_cannot_be_used_at_once(aws, queue):
    """CreateQueue: QueueDeletedRecently. A second create does not change the tags."""
    sqs = aws("sqs")
    sqs.create_queue(QueueName="work", tags={"a": "other"})
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"a": "b"}
    aws.set(pending={"queueName": 60})
    sqs.delete_queue(QueueUrl=queue.url)
    code = "AWS.SimpleQueueService.QueueDeletedRecently"
    with pytest.raises(sqs.exceptions.ClientError) as error:
        sqs.create_queue(QueueName="work")
    assert error.value.response["Error"]["Code"] in (code, "QueueDeletedRecently")
    aws.set(pending={"queueName": 0})
    sqs.create_queue(QueueName="work")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")
