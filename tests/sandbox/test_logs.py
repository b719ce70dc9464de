"""CloudWatch Logs behaves as its API Reference documents it."""
from conftest import refused


def test_log_group(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName="/app/web", tags={"a": "b"})
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/app/web")
    refused("InvalidParameterException", logs.create_log_group, logGroupName="a b")
    shown = logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
    assert shown["logGroupClass"] == "STANDARD" and "retentionInDays" not in shown and shown["arn"] == shown["logGroupArn"] + ":*"
    arn = shown["logGroupArn"]
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
    refused("ResourceNotFoundException", logs.list_tags_for_resource, resourceArn=arn + "x")
    logs.tag_resource(resourceArn=arn, tags={"c": "d"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    logs.delete_log_group(logGroupName="/app/web")
    logs.create_log_group(logGroupName="/app/web")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_log_group_settings(aws):
    """PutRetentionPolicy: the documented days; AssociateKmsKey; PutLogGroupDeletionProtection."""
    logs = aws("logs")
    logs.create_log_group(logGroupName="g", logGroupClass="INFREQUENT_ACCESS")
    logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    refused("InvalidParameterException", logs.put_retention_policy, logGroupName="g", retentionInDays=31)
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    logs.associate_kms_key(logGroupName="g", kmsKeyId=key)
    shown = logs.describe_log_groups()["logGroups"][0]
    assert (shown["retentionInDays"], shown["kmsKeyId"], shown["logGroupClass"]) == (30, key, "INFREQUENT_ACCESS")
    logs.disassociate_kms_key(logGroupName="g")
    logs.delete_retention_policy(logGroupName="g")
    logs.put_log_group_deletion_protection(logGroupIdentifier="g", deletionProtectionEnabled=True)
    shown = logs.describe_log_groups()["logGroups"][0]
    assert "kmsKeyId" not in shown and "retentionInDays" not in shown and shown["deletionProtectionEnabled"] is True
    refused("OperationAbortedException", logs.delete_log_group, logGroupName="g")
    refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName="none", retentionInDays=30)


def test_log_group_pattern(aws):
    """DescribeLogGroups: logGroupNamePattern is a substring, and excludes a prefix."""
    logs = aws("logs")
    for name in ("/a/web", "/b/web", "/c/db"):
        logs.create_log_group(logGroupName=name)
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern="web")["logGroups"]] == ["/a/web", "/b/web"]
    refused("InvalidParameterException", logs.describe_log_groups, logGroupNamePattern="web", logGroupNamePrefix="/a")
