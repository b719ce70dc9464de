"""AWS Backup: plans and their versions, selections, and access policies of vaults."""
import json
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.exceptions import AlreadyExistsException, InvalidParameterValueException, InvalidRequestException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Plan, Vault
from moto.backup.responses import BackupResponse
from moto.core.resource_tagging import TaggedResource
from moto.core.utils import unix_time
from moto.moto_api._internal import mock_random

from mends import mend

urls.url_paths.update({
    "{0}/backup-vaults/(?P<name>[^/]+)/access-policy$": urls.response.dispatch,
    "{0}/backup/plans/(?P<name>[^/]+)/selections/?$": urls.response.dispatch,
    "{0}/backup/plans/(?P<name>[^/]+)/selections/(?P<selection>[^/]+)$": urls.response.dispatch,
})


# ---- vaults

@mend(BackupBackend)
def create_backup_vault(moto, self, backup_vault_name, backup_vault_tags, encryption_key_arn, creator_request_id):
    """CreateBackupVault: without a key the vault uses the key aws/backup, and that key's ARN is returned."""
    known = self.vaults.get(backup_vault_name)
    if known and creator_request_id and known.creator_request_id == creator_request_id:
        return known
    key = encryption_key_arn or f"arn:aws:kms:{self.region_name}:{self.account_id}:key/aws-backup"
    return moto(backup_vault_name, backup_vault_tags, key, creator_request_id)


@mend(BackupBackend)
def delete_backup_vault(moto, self, backup_vault_name):
    vault = self.describe_backup_vault(backup_vault_name)
    self.tagger.delete_all_tags_for_resource(vault.backup_vault_arn)
    moto(backup_vault_name)


def vault(self):
    return self.backup_backend.describe_backup_vault(self.path.split("/backup-vaults/")[1].split("/")[0])


@mend(BackupResponse)
def put_backup_vault_access_policy(moto, self):
    vault(self).policy = json.loads(self.body)["Policy"]
    return "{}"


@mend(BackupResponse)
def get_backup_vault_access_policy(moto, self):
    """GetBackupVaultAccessPolicy: a vault without an access policy gives ResourceNotFoundException."""
    described = vault(self)
    if not getattr(described, "policy", None):
        raise ResourceNotFoundException(msg=f"Backup Vault Access Policy does not exist for {described.backup_vault_name}")
    return json.dumps({"BackupVaultName": described.backup_vault_name, "BackupVaultArn": described.backup_vault_arn, "Policy": described.policy})


@mend(BackupResponse)
def delete_backup_vault_access_policy(moto, self):
    vault(self).policy = None
    return "{}"


@mend(BackupBackend)
def put_backup_vault_lock_configuration(moto, self, backup_vault_name, min_retention_days, max_retention_days, changeable_for_days):
    """PutBackupVaultLockConfiguration: without ChangeableForDays there is no lock date."""
    moto(backup_vault_name, min_retention_days, max_retention_days, changeable_for_days)
    if changeable_for_days is None:
        self.vaults[backup_vault_name].lock_date = None


Vault.policy = None


# ---- plans

def fill(rules):
    """BackupRule: fills in the defaults of CreateBackupPlan and gives each rule an id."""
    for rule in rules:
        rule.setdefault("ScheduleExpression", "cron(0 5 ? * * *)")
        rule.setdefault("ScheduleExpressionTimezone", "Etc/UTC")
        rule.setdefault("StartWindowMinutes", 480)
        rule.setdefault("CompletionWindowMinutes", 10080)
        rule.setdefault("EnableContinuousBackup", False)
        rule.setdefault("RuleId", str(mock_random.uuid4()))
    return rules


def checked(self, plan):
    """CreateBackupPlan, UpdateBackupPlan: a plan needs at least one rule. Each rule must name an existing vault."""
    if not plan.get("Rules"):
        raise InvalidParameterValueException(msg="A backup plan needs at least one rule")
    for rule in plan["Rules"]:
        if rule["TargetBackupVaultName"] not in self.vaults:
            raise InvalidParameterValueException(msg=f"Backup vault {rule['TargetBackupVaultName']} does not exist")


@mend(BackupBackend)
def create_backup_plan(moto, self, backup_plan, backup_plan_tags, creator_request_id):
    """CreateBackupPlan: "if the request includes a CreatorRequestId that matches an existing backup plan, that plan is
    returned". The name of a deleted plan can be used again."""
    checked(self, backup_plan)
    live = {key: plan for key, plan in self.plans.items() if plan.deletion_date is None}
    for plan in live.values():
        if creator_request_id and plan.creator_request_id == creator_request_id:
            return plan
    deleted = {key: plan for key, plan in self.plans.items() if plan.deletion_date is not None}
    for key in deleted:
        del self.plans[key]
    try:
        made = moto(backup_plan, backup_plan_tags, creator_request_id)
    finally:
        self.plans.update(deleted)
    fill(made.backup_plan["Rules"])
    made.selections = {}
    return made


def plan_of(self):
    """Returns the plan that the path names. A deleted plan cannot be read."""
    name = self.path.split("/backup/plans/")[1].split("/")[0]
    plan = self.backup_backend.plans.get(name)
    if plan is None or plan.deletion_date is not None:
        raise ResourceNotFoundException(msg="Cannot find Backup plan with ID " + name)
    return plan


@mend(BackupResponse)
def get_backup_plan(moto, self):
    plan_of(self)
    return moto()


@mend(BackupResponse)
def update_backup_plan(moto, self):
    """UpdateBackupPlan: the request's plan replaces the existing plan, which gets a new VersionId."""
    plan, body = plan_of(self), json.loads(self.body)["BackupPlan"]
    checked(self.backup_backend, body)
    known = {rule["RuleName"]: rule["RuleId"] for rule in plan.backup_plan["Rules"]}
    for rule in body["Rules"]:
        rule["RuleId"] = known.get(rule["RuleName"]) or str(mock_random.uuid4())
    fill(body["Rules"])
    plan.backup_plan, plan.version_id = body, mock_random.get_random_string(length=48)
    plan.advanced_backup_settings = body.get("AdvancedBackupSettings") or []
    return json.dumps(plan.to_dict())


@mend(BackupResponse)
def delete_backup_plan(moto, self):
    """DeleteBackupPlan: "A backup plan can only be deleted after all associated selections of resources have been
    deleted"."""
    plan = plan_of(self)
    if plan.selections:
        raise InvalidRequestException(msg="Related backup plan selections must be deleted prior to backup plan deletion")
    self.backup_backend.tagger.delete_all_tags_for_resource(plan.backup_plan_arn)
    return moto()


Plan.selections = {}


@mend(BackupBackend)
def iter_tagged_resources(moto, self):
    """GetResources also returns plans."""
    yield from moto()
    for plan in self.plans.values():
        if plan.deletion_date is None:
            yield TaggedResource(plan.backup_plan_arn, self.tagger.get_tag_dict_for_resource(plan.backup_plan_arn), "backup:backup-plan")


@mend(BackupBackend)
def list_tags(moto, self, resource_arn):
    """ListTags: a resource that does not exist gives ResourceNotFoundException."""
    plans = [plan.backup_plan_arn for plan in self.plans.values() if plan.deletion_date is None]
    if resource_arn not in plans + [vault.backup_vault_arn for vault in self.vaults.values()]:
        raise ResourceNotFoundException(msg=f"{resource_arn} not found")
    return moto(resource_arn)


# ---- selections

def selection_of(self):
    plan, name = plan_of(self), self.path.split("/selections/")[1]
    if name not in plan.selections:
        raise ResourceNotFoundException(msg="Cannot find Backup selection with ID " + name)
    return plan, plan.selections[name]


@mend(BackupResponse)
def create_backup_selection(moto, self):
    """CreateBackupSelection: the same CreatorRequestId returns the same selection. Names are unique within a plan."""
    plan, body = plan_of(self), json.loads(self.body)
    request, selection = body.get("CreatorRequestId"), body["BackupSelection"]
    made = next((s for s in plan.selections.values() if request and s["CreatorRequestId"] == request), None)
    if made is None:
        if any(s["BackupSelection"]["SelectionName"] == selection["SelectionName"] for s in plan.selections.values()):
            raise AlreadyExistsException(msg=f"Backup selection {selection['SelectionName']} already exists")
        # GetBackupSelection returns every member, including the empty ones.
        conditions = {**{k: [] for k in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike")}, **(selection.get("Conditions") or {})}
        complete = {"Resources": [], "NotResources": [], "ListOfTags": [], **selection, "Conditions": conditions}
        made = {"SelectionId": str(mock_random.uuid4()), "BackupPlanId": plan.backup_plan_id, "CreationDate": unix_time(),
                "CreatorRequestId": request, "BackupSelection": complete}
        plan.selections[made["SelectionId"]] = made
    return json.dumps({key: made[key] for key in ("SelectionId", "BackupPlanId", "CreationDate")})


@mend(BackupResponse)
def get_backup_selection(moto, self):
    return json.dumps(selection_of(self)[1])


@mend(BackupResponse)
def list_backup_selections(moto, self):
    listed = [{"SelectionId": s["SelectionId"], "SelectionName": s["BackupSelection"]["SelectionName"], "BackupPlanId": s["BackupPlanId"],
               "CreationDate": s["CreationDate"], "IamRoleArn": s["BackupSelection"]["IamRoleArn"]} for s in plan_of(self).selections.values()]
    return json.dumps({"BackupSelectionsList": listed})


@mend(BackupResponse)
def delete_backup_selection(moto, self):
    plan, selection = selection_of(self)
    del plan.selections[selection["SelectionId"]]
    return "{}"


@mend(BackupResponse, "list_tags")
def with_or_without_slash(moto, self):
    """ListTags is `GET /tags/{resourceArn}/`; the Rust SDK omits the trailing slash."""
    arn = unquote(self.path.split("/tags/")[1]).rstrip("/")
    return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=arn)})
