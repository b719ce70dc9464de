"""Secrets Manager behaves as its API Reference documents it."""
import uuid

from conftest import refused, tags

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:rotate"


def test_update_secret_without_a_value_creates_no_version(aws):
    """UpdateSecret changes only what is given, and creates no version without a value."""
    secrets = aws("secretsmanager")
    made = secrets.create_secret(Name="s", Description="d", SecretString="v", Tags=tags(a="b"))
    assert "VersionId" not in secrets.update_secret(SecretId="s", KmsKeyId="alias/k")
    shown = secrets.describe_secret(SecretId="s")
    assert (shown["Description"], shown["KmsKeyId"], list(shown["VersionIdsToStages"])) == ("d", "alias/k", [made["VersionId"]])
    secrets.update_secret(SecretId=made["ARN"], Description="")
    shown = secrets.describe_secret(SecretId="s")
    assert not shown.get("Description") and shown["KmsKeyId"] == "alias/k" and shown["Tags"] == tags(a="b")


def test_put_of_an_existing_secret_version_does_nothing(aws):
    """PutSecretValue of an existing version "succeeds but does nothing". UpdateSecretVersionStage moves AWSCURRENT."""
    secrets, one, two = aws("secretsmanager"), str(uuid.uuid4()), str(uuid.uuid4())
    secrets.create_secret(Name="s", SecretString="1", ClientRequestToken=one)
    secrets.put_secret_value(SecretId="s", SecretString="2", ClientRequestToken=two)
    again = secrets.put_secret_value(SecretId="s", SecretString="1", ClientRequestToken=one)
    assert again["VersionStages"] == ["AWSPREVIOUS"] and secrets.get_secret_value(SecretId="s")["SecretString"] == "2"
    refused("ResourceExistsException", secrets.put_secret_value, SecretId="s", SecretString="3", ClientRequestToken=one)
    secrets.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=two)
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "1"
    assert secrets.describe_secret(SecretId="s")["VersionIdsToStages"] == {one: ["AWSCURRENT"], two: ["AWSPREVIOUS"]}
    secrets.put_secret_value(SecretId="s", SecretString="3")
    assert two not in secrets.describe_secret(SecretId="s")["VersionIdsToStages"]


def test_secret_name_is_in_use_during_the_recovery_window(aws):
    """DeleteSecret: during the recovery window the name gives InvalidRequestException. RestoreSecret. Deletion without
    a window."""
    secrets = aws("secretsmanager")
    secrets.create_secret(Name="s", SecretString="v")
    refused("ResourceExistsException", secrets.create_secret, Name="s", SecretString="w")
    refused("InvalidParameterException", secrets.delete_secret, SecretId="s", RecoveryWindowInDays=3)
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    assert "scheduled for deletion" in refused("InvalidRequestException", secrets.create_secret, Name="s", SecretString="v")
    refused("InvalidRequestException", secrets.update_secret, SecretId="s", Description="x")
    refused("InvalidRequestException", secrets.put_secret_value, SecretId="s", SecretString="x")
    assert secrets.list_secrets()["SecretList"] == [] and secrets.describe_secret(SecretId="s")["DeletedDate"]
    secrets.restore_secret(SecretId="s")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "v"
    secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId="s")


def test_rotation_rules_are_returned_as_given(aws):
    """RotateSecret: the rules are returned as they were given, days or a schedule. CancelRotateSecret.

    Without RotateImmediately there is no new value.
    """
    secrets = aws("secretsmanager")
    version = secrets.create_secret(Name="s", SecretString="v")["VersionId"]
    refused("InvalidRequestException", secrets.rotate_secret, SecretId="s", RotateImmediately=False)
    secrets.rotate_secret(SecretId="s", RotationLambdaARN=LAMBDA, RotateImmediately=False,
                          RotationRules={"ScheduleExpression": "rate(10 days)", "Duration": "3h"})
    shown = secrets.describe_secret(SecretId="s")
    assert shown["RotationRules"] == {"ScheduleExpression": "rate(10 days)", "Duration": "3h"} and shown["RotationEnabled"]
    assert shown["VersionIdsToStages"] == {version: ["AWSCURRENT"]}
    refused("InvalidParameterException", secrets.rotate_secret, SecretId="s",
            RotationRules={"ScheduleExpression": "rate(10 days)", "AutomaticallyAfterDays": 10})
    secrets.cancel_rotate_secret(SecretId="s")
    assert secrets.describe_secret(SecretId="s")["RotationEnabled"] is False


def test_secret_with_replicas_cannot_be_deleted(aws):
    """ReplicateSecretToRegions with a KMS key for each region. RemoveRegionsFromReplication. A replica has
    PrimaryRegion.

    A secret with replicas cannot be deleted.
    """
    secrets, other = aws("secretsmanager"), aws("secretsmanager", "eu-west-1")
    secrets.create_secret(Name="s", SecretString="v", AddReplicaRegions=[{"Region": "eu-west-1", "KmsKeyId": "alias/k"}])
    copies = secrets.describe_secret(SecretId="s")["ReplicationStatus"]
    assert [(c["Region"], c["KmsKeyId"], c["Status"]) for c in copies] == [("eu-west-1", "alias/k", "InSync")]
    assert other.list_secrets()["SecretList"][0]["PrimaryRegion"] == "us-east-1"
    refused("InvalidParameterException", secrets.delete_secret, SecretId="s")
    secrets.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": "eu-north-1"}])
    assert len(secrets.describe_secret(SecretId="s")["ReplicationStatus"]) == 2
    secrets.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=["eu-west-1", "eu-north-1"])
    assert "ReplicationStatus" not in secrets.describe_secret(SecretId="s") and other.list_secrets()["SecretList"] == []
