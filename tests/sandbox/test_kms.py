"""KMS behaves as its API Reference and its table of key states document it."""
import json

from conftest import refused


def test_key_pending_deletion_cannot_be_changed(aws):
    """ScheduleKeyDeletion: in the state PendingDeletion only CancelKeyDeletion works. DisableKey: DisabledException."""
    kms = aws("kms")
    key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    assert (key["KeyUsage"], key["KeySpec"], key["MultiRegion"], key["KeyState"]) == ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", False, "Enabled")
    kms.disable_key(KeyId=key["Arn"])
    refused("DisabledException", kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x")
    refused("DisabledException", kms.enable_key_rotation, KeyId=key["KeyId"])
    kms.enable_key(KeyId=key["KeyId"])
    refused("ValidationException", kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=5)
    deleted = kms.schedule_key_deletion(KeyId=key["Arn"], PendingWindowInDays=7)
    assert (deleted["KeyState"], deleted["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "PendingDeletion"
    refused("KMSInvalidStateException", kms.enable_key, KeyId=key["KeyId"])
    refused("KMSInvalidStateException", kms.schedule_key_deletion, KeyId=key["KeyId"])
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is False


def test_key_rotation_has_a_period_of_90_to_2560_days(aws):
    """EnableKeyRotation: RotationPeriodInDays is 90 to 2560. GetKeyRotationStatus. Asymmetric keys have no rotation."""
    kms = aws("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.enable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 180
    refused("ValidationException", kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=3000)
    kms.disable_key_rotation(KeyId=key)
    shown = kms.get_key_rotation_status(KeyId=key)
    assert shown["KeyRotationEnabled"] is False and "RotationPeriodInDays" not in shown
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    refused("UnsupportedOperationException", kms.get_key_rotation_status, KeyId=signing)


def test_keys_are_listed_in_pages_and_aliases_are_unique(aws):
    """ListKeys, ListAliases: Limit, Truncated, NextMarker. UpdateAlias. DeleteAlias: NotFoundException."""
    kms = aws("kms")
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
    first = kms.list_keys(Limit=2)
    assert len(first["Keys"]) == 2 and first["Truncated"]
    rest = kms.list_keys(Limit=2, Marker=first["NextMarker"])
    assert {k["KeyId"] for k in first["Keys"] + rest["Keys"]} == set(keys) and not rest["Truncated"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=keys[0])
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/a", TargetKeyId=keys[1])
    kms.update_alias(AliasName="alias/a", TargetKeyId=keys[1])
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyId"] == keys[1]
    kms.delete_alias(AliasName="alias/a")
    refused("NotFoundException", kms.delete_alias, AliasName="alias/a")
    assert json.loads(kms.get_key_policy(KeyId=keys[0])["Policy"])["Id"] == "key-default-1"
