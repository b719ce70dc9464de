"""S3 behaves as its API Reference documents it."""
import json

import pytest
from conftest import refused


@pytest.fixture
def s3(aws):
    aws("s3").create_bucket(Bucket="first", CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "b"}]})
    return aws("s3")


def test_new_bucket_is_encrypted_and_blocks_public_access(aws, s3):
    """CreateBucket: tags, SSE-S3, all public access blocked, ACLs disabled, and a second bucket of the same name."""
    assert s3.get_bucket_tagging(Bucket="first")["TagSet"] == [{"Key": "a", "Value": "b"}]
    rule = s3.get_bucket_encryption(Bucket="first")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(s3.get_public_access_block(Bucket="first")["PublicAccessBlockConfiguration"].values()) == {True}
    owner = s3.get_bucket_ownership_controls(Bucket="first")["OwnershipControls"]["Rules"][0]
    assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}
    assert "Status" not in s3.get_bucket_versioning(Bucket="first")
    s3.create_bucket(Bucket="first", CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "other"}]})
    assert s3.get_bucket_tagging(Bucket="first")["TagSet"] == [{"Key": "a", "Value": "b"}]
    location = {"LocationConstraint": "eu-west-1"}
    aws("s3", "eu-west-1").create_bucket(Bucket="second", CreateBucketConfiguration=location)
    refused("BucketAlreadyOwnedByYou", aws("s3", "eu-west-1").create_bucket, Bucket="second", CreateBucketConfiguration=location)
    for call in (s3.get_bucket_policy, s3.get_bucket_lifecycle_configuration, s3.get_bucket_cors, s3.get_bucket_replication):
        with pytest.raises(s3.exceptions.ClientError):
            call(Bucket="first")


def test_list_buckets_returns_pages_of_a_region_or_prefix(aws, s3):
    """ListBuckets: MaxBuckets and ContinuationToken, Prefix, BucketRegion."""
    for name in ("second", "third", "fourth"):
        s3.create_bucket(Bucket=name)
    aws("s3", "eu-west-1").create_bucket(Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    page = s3.list_buckets(MaxBuckets=2, BucketRegion="us-east-1")
    assert [b["Name"] for b in page["Buckets"]] == ["first", "fourth"]
    page = s3.list_buckets(MaxBuckets=2, BucketRegion="us-east-1", ContinuationToken=page["ContinuationToken"])
    assert [b["Name"] for b in page["Buckets"]] == ["second", "third"] and "ContinuationToken" not in page
    assert [b["BucketRegion"] for b in s3.list_buckets(Prefix="ab")["Buckets"]] == ["eu-west-1"]


def test_delete_bucket_encryption_resets_it_to_sse_s3(s3):
    """DeleteBucketEncryption resets the default encryption to SSE-S3."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="first", ServerSideEncryptionConfiguration={"Rules": [rule]})
    described = s3.get_bucket_encryption(Bucket="first")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert described["BucketKeyEnabled"] is True and described["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    s3.delete_bucket_encryption(Bucket="first")
    described = s3.get_bucket_encryption(Bucket="first")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert described["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_lifecycle_configuration_is_returned_as_put(s3):
    """PutBucketLifecycleConfiguration keeps every field. Two conditions in a filter need And. A rule needs an
    action."""
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 5}},
         "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
         "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}},
        {"ID": "mpu", "Status": "Disabled", "Filter": {"ObjectSizeLessThan": 9}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]
    s3.put_bucket_lifecycle_configuration(Bucket="first", LifecycleConfiguration={"Rules": rules})
    described = s3.get_bucket_lifecycle_configuration(Bucket="first")
    assert described["Rules"] == rules and described["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    refused("InvalidRequest", s3.put_bucket_lifecycle_configuration, Bucket="first",
            LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}}]})
    nameless = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="first", LifecycleConfiguration={"Rules": [nameless]})
    assert s3.get_bucket_lifecycle_configuration(Bucket="first")["Rules"][0]["ID"]
    s3.delete_bucket_lifecycle(Bucket="first")
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="first")


def test_malformed_and_blocked_public_policies_are_refused(s3):
    """PutBucketPolicy refuses malformed policies, and public policies that BlockPublicPolicy forbids."""
    def put(statement):
        s3.put_bucket_policy(Bucket="first", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    refused("MalformedPolicy", s3.put_bucket_policy, Bucket="first", Policy="no")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::first/*"}
    refused("MalformedPolicy", put, {**statement, "Resource": "arn:aws:s3:::other/*"})
    refused("AccessDenied", put, statement)
    s3.delete_public_access_block(Bucket="first")
    put(statement)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket="first")


def test_deny_statement_applies_only_when_its_condition_is_met(s3):
    """A Deny statement with a condition applies only to requests that meet the condition."""
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::first", "arn:aws:s3:::first/*"],
              "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket="first", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    s3.put_object(Bucket="first", Key="a", Body=b"a")
    assert not s3.delete_objects(Bucket="first", Delete={"Objects": [{"Key": "a"}]}).get("Errors")


def test_empty_notification_configuration_removes_everything(aws, s3):
    """PutBucketNotificationConfiguration: EventBridge and queues can be combined. An empty configuration clears all."""
    url = aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    both = {"EventBridgeConfiguration": {}, "QueueConfigurations": [{"Id": "q", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="first", NotificationConfiguration=both)
    described = s3.get_bucket_notification_configuration(Bucket="first")
    assert described["EventBridgeConfiguration"] == {} and described["QueueConfigurations"] == both["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket="first", NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket="first")


def test_replication_needs_versioning_on_both_buckets(s3):
    """PutBucketReplication: both buckets need versioning."""
    s3.create_bucket(Bucket="copies")
    rule = {"ID": "all", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""}, "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": "arn:aws:s3:::copies", "StorageClass": "STANDARD_IA"}}
    config = {"Role": "arn:aws:iam::123456789012:role/copy", "Rules": [rule]}
    refused("InvalidRequest", s3.put_bucket_replication, Bucket="first", ReplicationConfiguration=config)
    s3.put_bucket_versioning(Bucket="first", VersioningConfiguration={"Status": "Enabled"})
    refused("InvalidRequest", s3.put_bucket_replication, Bucket="first", ReplicationConfiguration=config)
    s3.put_bucket_versioning(Bucket="copies", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(Bucket="first", ReplicationConfiguration=config)
    assert s3.get_bucket_replication(Bucket="first")["ReplicationConfiguration"] == config
    s3.delete_bucket_replication(Bucket="first")
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket="first")


def test_bucket_with_object_versions_cannot_be_deleted(s3):
    """DeleteBucket: a bucket with object versions gives BucketNotEmpty."""
    s3.put_bucket_versioning(Bucket="first", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="first", Key="a", Body=b"a")
    s3.delete_object(Bucket="first", Key="a")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="first")
    listed = s3.list_object_versions(Bucket="first")
    for version in listed["Versions"] + listed["DeleteMarkers"]:
        s3.delete_object(Bucket="first", Key="a", VersionId=version["VersionId"])
    s3.delete_bucket(Bucket="first")
