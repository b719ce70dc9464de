"""AWS Backup behaves as its API Reference documents it."""
import json

import pytest
from conftest import refused

ROLE = "arn:aws:iam::123456789012:role/backup"


@pytest.fixture
def backup(aws):
    aws("backup").create_backup_vault(BackupVaultName="v", BackupVaultTags={"a": "b"})
    return aws("backup")


def plan(**more):
    return {"BackupPlanName": "p", "Rules": [{"RuleName": "daily", "TargetBackupVaultName": "v", **more}]}


def test_vault(backup):
    """Access policies; a lock without a date can be taken away; the key is told."""
    vault = dict(BackupVaultName="v")
    told = backup.list_backup_vaults()["BackupVaultList"][0]
    assert told["EncryptionKeyArn"].startswith("arn:aws:kms:") and not told["Locked"]
    refused("ResourceNotFoundException", backup.get_backup_vault_access_policy, **vault)
    backup.put_backup_vault_access_policy(**vault, Policy=json.dumps({"Statement": []}))
    assert json.loads(backup.get_backup_vault_access_policy(**vault)["Policy"]) == {"Statement": []}
    backup.delete_backup_vault_access_policy(**vault)
    refused("ResourceNotFoundException", backup.get_backup_vault_access_policy, **vault)
    backup.put_backup_vault_lock_configuration(**vault, MinRetentionDays=7, ChangeableForDays=3)
    assert "LockDate" in backup.list_backup_vaults()["BackupVaultList"][0]
    backup.put_backup_vault_lock_configuration(**vault, MinRetentionDays=7)
    locked = backup.list_backup_vaults()["BackupVaultList"][0]
    assert locked["Locked"] and locked["MinRetentionDays"] == 7 and "LockDate" not in locked
    backup.delete_backup_vault_lock_configuration(**vault)
    assert not backup.list_backup_vaults()["BackupVaultList"][0]["Locked"]


def test_plan(backup):
    """The same CreatorRequestId is the same plan; an update is a new version; a deleted plan cannot be read."""
    made = backup.create_backup_plan(BackupPlan=plan(), CreatorRequestId="r", BackupPlanTags={"a": "b"})
    named, version = dict(BackupPlanId=made["BackupPlanId"]), made["VersionId"]
    assert backup.create_backup_plan(BackupPlan=plan(), CreatorRequestId="r")["BackupPlanId"] == made["BackupPlanId"]
    refused("AlreadyExistsException", backup.create_backup_plan, BackupPlan=plan())
    rule = backup.get_backup_plan(**named)["BackupPlan"]["Rules"][0]
    assert (rule["StartWindowMinutes"], rule["ScheduleExpressionTimezone"]) == (480, "Etc/UTC")
    assert backup.update_backup_plan(**named, BackupPlan=plan(StartWindowMinutes=60))["VersionId"] != version
    changed = backup.get_backup_plan(**named)["BackupPlan"]["Rules"][0]
    assert (changed["StartWindowMinutes"], changed["RuleId"]) == (60, rule["RuleId"])
    lost = plan()
    lost["Rules"][0]["TargetBackupVaultName"] = "nowhere"
    refused("InvalidParameterValueException", backup.update_backup_plan, **named, BackupPlan=lost)
    assert backup.list_tags(ResourceArn=made["BackupPlanArn"])["Tags"] == {"a": "b"}
    backup.delete_backup_plan(**named)
    refused("ResourceNotFoundException", backup.get_backup_plan, **named)
    assert backup.create_backup_plan(BackupPlan=plan(), CreatorRequestId="r")["BackupPlanId"] != made["BackupPlanId"]


def test_selection(backup):
    """Selections go before their plan; the empty members are told."""
    named = dict(BackupPlanId=backup.create_backup_plan(BackupPlan=plan())["BackupPlanId"])
    asked = {"SelectionName": "s", "IamRoleArn": ROLE, "Resources": ["*"]}
    made = backup.create_backup_selection(**named, BackupSelection=asked, CreatorRequestId="r")["SelectionId"]
    assert backup.create_backup_selection(**named, BackupSelection=asked, CreatorRequestId="r")["SelectionId"] == made
    told = backup.get_backup_selection(**named, SelectionId=made)["BackupSelection"]
    assert told["Resources"] == ["*"] and told["NotResources"] == [] and told["Conditions"]["StringLike"] == []
    assert [s["SelectionName"] for s in backup.list_backup_selections(**named)["BackupSelectionsList"]] == ["s"]
    refused("InvalidRequestException", backup.delete_backup_plan, **named)
    backup.delete_backup_selection(**named, SelectionId=made)
    refused("ResourceNotFoundException", backup.get_backup_selection, **named, SelectionId=made)
    backup.delete_backup_plan(**named)
