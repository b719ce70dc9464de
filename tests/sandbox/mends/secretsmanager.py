"""Secrets Manager: secrets, their versions, replicas and rotation."""
import json

from moto.secretsmanager.exceptions import InvalidParameterException, InvalidRequestException, ResourceExistsException
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from mends import mend

OWN_KEY = SecretsManagerBackend.DEFAULT_KMS_KEY_ALIAS
FakeSecret.rotation_rules = None


def marked():
    return InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")


@mend(SecretsManagerResponse)
def create_secret(moto, self):
    """CreateSecret: the name of a secret that is scheduled for deletion gives InvalidRequestException.

    The name of an existing secret gives ResourceExistsException. Each of AddReplicaRegions may name its KMS key.
    """
    present = self.backend.secrets.get(self._get_param("Name"))
    if present is not None and present.is_deleted():
        raise InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
    if present is not None and not self._get_param("ClientRequestToken"):
        raise ResourceExistsException(f"The operation failed because the secret {self._get_param('Name')} already exists.")
    answer = moto()
    keys_of_copies(self.backend.secrets.get(self._get_param("Name")), self._get_param("AddReplicaRegions", []))
    return json.dumps({**json.loads(answer), **shown_copies(self.backend.secrets.get(self._get_param("Name")))})


def keys_of_copies(secret, requested):
    for one in requested or []:
        for copy in secret.replicas:
            if copy.region == one["Region"]:
                copy.config["KmsKeyId"] = one.get("KmsKeyId") or OWN_KEY


def shown_copies(secret):
    return {"ReplicationStatus": [copy.config for copy in secret.replicas]} if secret.replicas else {}


@mend(SecretsManagerBackend)
def update_secret(moto, self, secret_id, secret_string=None, secret_binary=None, client_request_token=None, kms_key_id=None, description=None):
    """UpdateSecret changes only what is given. Only a value creates a version.

    Without a new version the answer has no VersionId.
    """
    secret = self.describe_secret(secret_id)
    if secret.is_deleted():
        raise marked()
    if description is not None:
        secret.description = description
    if kms_key_id is not None:
        secret.kms_key_id = kms_key_id
    if secret_string is None and secret_binary is None:
        return secret.to_short_dict(include_version_id=False)
    return moto(secret.name, secret_string=secret_string, secret_binary=secret_binary, client_request_token=client_request_token,
                kms_key_id=kms_key_id, description=description)


@mend(SecretsManagerBackend)
def put_secret_value(moto, self, secret_id, secret_string, secret_binary, client_request_token, version_stages):
    """PutSecretValue: for an existing version with the same value "the operation succeeds but does nothing".

    For an existing version with another value the error is ResourceExistsException.
    """
    secret = self.describe_secret(secret_id)
    if secret.is_deleted():
        raise marked()
    existing = secret.versions.get(client_request_token)
    if existing and existing.get("secret_string") == secret_string and "AWSPENDING" not in existing["version_stages"]:
        return secret.to_short_dict(include_version_stages=True, version_id=client_request_token)
    return moto(secret_id, secret_string, secret_binary, client_request_token, version_stages)


@mend(SecretsManagerBackend)
def update_secret_version_stage(moto, self, secret_id, version_stage, remove_from_version_id, move_to_version_id):
    """GetSecretValue without a version or stage returns the version that has the stage AWSCURRENT now."""
    answer = moto(secret_id, version_stage, remove_from_version_id, move_to_version_id)
    if version_stage == "AWSCURRENT" and move_to_version_id:
        self.secrets[secret_id].set_default_version_id(move_to_version_id)
    return answer


@mend(FakeSecret)
def to_dict(moto, self):
    """DescribeSecret omits versions without a stage, and returns RotationRules as they were given.

    KmsKeyId is omitted for the service's own key.
    """
    shown = moto()
    for name in ("VersionIdsToStages", "SecretVersionsToStages"):
        if name in shown:
            shown[name] = {version: stages for version, stages in shown[name].items() if stages}
    if not shown.get("KmsKeyId"):
        shown.pop("KmsKeyId", None)
    if self.rotation_requested:
        shown["RotationRules"] = dict(self.rotation_rules or {})
        if not self.rotation_enabled:
            shown["RotationEnabled"] = False
    return {k: v for k, v in shown.items() if v is not None}


@mend(SecretsManagerBackend)
def rotate_secret(moto, self, secret_id, client_request_token=None, rotation_lambda_arn=None, rotation_rules=None, rotate_immediately=True):
    """RotateSecret accepts either AutomaticallyAfterDays or ScheduleExpression, not both.

    Without RotateImmediately the value is kept until the next window, and "Secrets Manager tests the rotation
    configuration" only. The sandbox runs no rotation function.
    """
    secret, rules = self.describe_secret(secret_id), rotation_rules or {}
    if secret.is_deleted():
        raise marked()
    if "AutomaticallyAfterDays" in rules and "ScheduleExpression" in rules:
        raise InvalidParameterException("You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules.")
    if not 1 <= rules.get("AutomaticallyAfterDays", 1) <= 1000:
        raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
    if not rotation_lambda_arn and not secret.rotation_lambda_arn and not secret.owning_service:
        raise InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = rotation_lambda_arn or secret.rotation_lambda_arn
    secret.rotation_rules = rules or secret.rotation_rules
    return secret.to_short_dict()


@mend(SecretsManagerBackend)
def replicate_secret_to_regions(moto, self, secret_id, replica_regions, force_overwrite):
    answer = moto(secret_id, replica_regions, force_overwrite)
    keys_of_copies(self.secrets[secret_id], replica_regions)
    return answer


@mend(SecretsManagerBackend)
def remove_regions_from_replication(moto, self, secret_id, replica_regions):
    """RemoveRegionsFromReplication: "deletes these replicas"."""
    secret = self.secrets[secret_id]
    for copy in [c for c in secret.replicas if c.region in replica_regions]:
        dict.pop(secretsmanager_backends[self.account_id][copy.region].secrets, copy.arn, None)
        secret.replicas.remove(copy)
    return secret.arn, [copy.config for copy in secret.replicas]


@mend(ReplicaSecret, "to_dict")
def of_copy(moto, self):
    """DescribeSecret of a replica returns PrimaryRegion, and not the replicas of its primary secret."""
    shown = moto()
    shown.pop("ReplicationStatus", None)
    return shown
