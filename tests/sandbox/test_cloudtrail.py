"""CloudTrail behaves as its API Reference documents it."""
import json

import pytest
from conftest import refused


@pytest.fixture
def trail(aws):
    aws("s3").create_bucket(Bucket="records")
    refused("InsufficientS3BucketPolicyException", aws("cloudtrail").create_trail, Name="trail", S3BucketName="records")
    statement = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*", "Resource": "arn:aws:s3:::records/*"}
    aws("s3").put_bucket_policy(Bucket="records", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    aws("cloudtrail").create_trail(Name="trail", S3BucketName="records", S3KeyPrefix="p", TagsList=[{"Key": "a", "Value": "b"}])
    return aws("cloudtrail")


def shown(trail):
    return trail.describe_trails(includeShadowTrails=False)["trailList"][0]


def test_trail_does_not_log_after_its_creation(trail):
    """CreateTrail does not start logging. UpdateTrail with an empty string removes a setting. Tags are removed by their
    keys."""
    refused("TrailAlreadyExistsException", trail.create_trail, Name="trail", S3BucketName="records")
    assert trail.get_trail_status(Name="trail")["IsLogging"] is False
    trail.update_trail(Name="trail", S3KeyPrefix="")
    assert "S3KeyPrefix" not in shown(trail)
    arn = shown(trail)["TrailARN"]
    trail.remove_tags(ResourceId=arn, TagsList=[{"Key": "a"}])
    assert trail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == []
    trail.delete_trail(Name=arn)
    refused("TrailNotFoundException", trail.delete_trail, Name="trail")


def test_event_selectors_and_advanced_event_selectors_replace_each_other(trail):
    """PutEventSelectors, PutInsightSelectors: either kind replaces the other, and the trail says whether it has any."""
    assert trail.get_event_selectors(TrailName="trail")["EventSelectors"][0]["ReadWriteType"] == "All"
    trail.put_event_selectors(TrailName="trail", EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert shown(trail)["HasCustomEventSelectors"] is True
    advanced = [{"Name": "data", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]
    trail.put_event_selectors(TrailName="trail", AdvancedEventSelectors=advanced)
    described = trail.get_event_selectors(TrailName="trail")
    assert described["AdvancedEventSelectors"] == advanced and not described["EventSelectors"]
    refused("InsightNotEnabledException", trail.get_insight_selectors, TrailName="trail")
    trail.put_insight_selectors(TrailName="trail", InsightSelectors=[{"InsightType": "ApiCallRateInsight"}])
    assert shown(trail)["HasInsightSelectors"] is True
    trail.put_insight_selectors(TrailName="trail", InsightSelectors=[])
    assert shown(trail)["HasInsightSelectors"] is False
