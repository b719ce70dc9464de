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


def test_backup_vault_has_an_access_policy_a_lock_and_a_key(backup):
    """Access policies can be put and deleted. A lock without a date can be removed. The key's ARN is returned."""
    vault = dict(BackupVaultName="v")
    described = backup.list_backup_vaults()["BackupVaultList"][0]
    assert described["EncryptionKeyArn"].startswith("arn:aws:kms:") and not described["Locked"]
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


def test_update_of_a_backup_plan_creates_a_version(backup):
    """The same CreatorRequestId returns the same plan. An update creates a version. A deleted plan cannot be read."""
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


def test_backup_plan_with_selections_cannot_be_deleted(backup):
    """Selections must be deleted before their plan. Empty members are returned."""
    named = dict(BackupPlanId=backup.create_backup_plan(BackupPlan=plan())["BackupPlanId"])
    asked = {"SelectionName": "s", "IamRoleArn": ROLE, "Resources": ["*"]}
    made = backup.create_backup_selection(**named, BackupSelection=asked, CreatorRequestId="r")["SelectionId"]
    assert backup.create_backup_selection(**named, BackupSelection=asked, CreatorRequestId="r")["SelectionId"] == made
    described = backup.get_backup_selection(**named, SelectionId=made)["BackupSelection"]
    assert described["Resources"] == ["*"] and described["NotResources"] == [] and described["Conditions"]["StringLike"] == []
    assert [s["SelectionName"] for s in backup.list_backup_selections(**named)["BackupSelectionsList"]] == ["s"]
    refused("InvalidRequestException", backup.delete_backup_plan, **named)
    backup.delete_backup_selection(**named, SelectionId=made)
    refused("ResourceNotFoundException", backup.get_backup_selection, **named, SelectionId=made)
    backup.delete_backup_plan(**named)
