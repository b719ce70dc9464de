"""CloudWatch Logs behaves as its API Reference documents it."""
from conftest import refused


def test_tags_are_deleted_with_their_log_group(aws):
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


def test_log_group_settings_can_be_changed(aws):
    """PutRetentionPolicy accepts the documented days. AssociateKmsKey. PutLogGroupDeletionProtection."""
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


def test_log_group_name_pattern_is_a_substring(aws):
    """DescribeLogGroups: logGroupNamePattern is a substring, and excludes a prefix."""
    logs = aws("logs")
    for name in ("/a/web", "/b/web", "/c/db"):
        logs.create_log_group(logGroupName=name)
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern="web")["logGroups"]] == ["/a/web", "/b/web"]
    refused("InvalidParameterException", logs.describe_log_groups, logGroupNamePattern="web", logGroupNamePrefix="/a")


def test_put_metric_filter_creates_or_replaces_a_filter(aws):
    """PutMetricFilter creates or replaces. A filter is deleted with its log group."""
    logs = aws("logs")
    logs.create_log_group(logGroupName="g")

    def put(name="errors", group="g", **more):
        logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern="ERROR", metricTransformations=[
            {"metricName": "Errors", "metricNamespace": "Shop", "metricValue": "1", **more}])

    put()
    put(defaultValue=0.0, unit="Count")
    shown = logs.describe_metric_filters(logGroupName="g")["metricFilters"]
    assert len(shown) == 1 and shown[0]["applyOnTransformedLogs"] is False
    assert (shown[0]["metricTransformations"][0]["defaultValue"], shown[0]["metricTransformations"][0]["unit"]) == (0.0, "Count")
    put("plain")
    assert logs.describe_metric_filters()["metricFilters"][1]["metricTransformations"][0]["unit"] == "None"
    first = logs.describe_metric_filters(limit=1)
    assert logs.describe_metric_filters(limit=1, nextToken=first["nextToken"])["metricFilters"][0]["filterName"] == "plain"
    refused("InvalidParameterException", put, defaultValue=0.0, dimensions={"Path": "$.path"})
    refused("InvalidParameterException", put, metricNamespace="AWS/Shop")
    refused("ResourceNotFoundException", put, group="none")
    logs.delete_metric_filter(logGroupName="g", filterName="plain")
    refused("ResourceNotFoundException", logs.delete_metric_filter, logGroupName="g", filterName="plain")
    logs.delete_log_group(logGroupName="g")
    assert logs.describe_metric_filters()["metricFilters"] == []
