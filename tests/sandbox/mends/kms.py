"""KMS: keys and aliases."""
import json

from moto.core.exceptions import JsonRESTError
from moto.kms import responses
from moto.kms.exceptions import NotFoundException, ValidationException
from moto.kms.models import Key, KmsBackend
from moto.kms.responses import KmsResponse

from mends import mend

DEFAULT_PERIOD = 365
Key.rotation_period = DEFAULT_PERIOD


def key_of(self, state=None):
    """Returns the key that a request names.

    "This operation requires that the key is not pending deletion": otherwise the error is KMSInvalidStateException
    (docs.aws.amazon.com/kms/latest/developerguide/key-state.html).
    """
    self._validate_key_id(self._get_param("KeyId"))
    key = self.kms_backend.keys[self.kms_backend.any_id_to_key_id(self._get_param("KeyId"))]
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if state == "Enabled" and not key.enabled:
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    return key


def symmetric(key):
    """GetKeyRotationStatus, EnableKeyRotation: "You cannot enable automatic rotation of asymmetric KMS keys, HMAC KMS
    keys …"."""
    if key.key_spec != "SYMMETRIC_DEFAULT" or key.origin != "AWS_KMS":
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} key spec is {key.key_spec} which is not valid for this operation.")


@mend(KmsResponse)
def create_key(moto, self):
    """CreateKey: by default KeyUsage is ENCRYPT_DECRYPT and MultiRegion is false."""
    answer = json.loads(moto())
    key = self.kms_backend.keys[answer["KeyMetadata"]["KeyId"]]
    key.key_usage, key.multi_region = key.key_usage or "ENCRYPT_DECRYPT", bool(key.multi_region)
    return json.dumps(key.to_dict())


@mend(KmsResponse)
def enable_key_rotation(moto, self):
    """EnableKeyRotation: RotationPeriodInDays is 90 to 2560.

    "if no value is specified, the default value is 365 days".
    """
    key, period = key_of(self, "Enabled"), self._get_param("RotationPeriodInDays")
    symmetric(key)
    if period is not None and not 90 <= period <= 2560:
        raise ValidationException(f"1 validation error detected: Value '{period}' at 'rotationPeriodInDays' failed to satisfy constraint")
    key.rotation_period = period or DEFAULT_PERIOD
    return moto()


@mend(KmsResponse)
def disable_key_rotation(moto, self):
    symmetric(key_of(self, "Enabled"))
    return moto()


@mend(KmsResponse)
def get_key_rotation_status(moto, self):
    """GetKeyRotationStatus returns KeyRotationEnabled, and RotationPeriodInDays only when rotation is enabled.

    For a key that is pending deletion KeyRotationEnabled is false.
    """
    self._validate_cmk_id(self._get_param("KeyId"))
    key = self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]
    symmetric(key)
    enabled = key.key_rotation_status and key.key_state != "PendingDeletion"
    return json.dumps({"KeyId": key.arn, "KeyRotationEnabled": enabled, **({"RotationPeriodInDays": key.rotation_period} if enabled else {})})


def only_default(name, plain=responses._assert_default_policy):
    """GetKeyPolicy, PutKeyPolicy: "if no policy name is specified, the default value is default"."""
    return plain(name or "default")


responses._assert_default_policy = only_default


def by_any_id(name):
    """EnableKey, DisableKey and others accept a key's id or its ARN; moto's own models do not accept both."""

    def of_key(moto, self):
        key = key_of(self)
        body = json.loads(self.body)
        self.body = json.dumps({**body, "KeyId": key.id})
        return moto()

    mend(KmsResponse, name)(of_key)


for operation in ("enable_key", "disable_key", "put_key_policy", "update_key_description", "tag_resource", "untag_resource"):
    by_any_id(operation)


@mend(KmsResponse)
def schedule_key_deletion(moto, self):
    """ScheduleKeyDeletion: the waiting period is 7 to 30 days, 30 by default.

    The key's state becomes PendingDeletion.
    """
    key, days = key_of(self), self._get_param("PendingWindowInDays")
    if days is not None and not 7 <= days <= 30:
        raise ValidationException(f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint")
    self.body = json.dumps({**json.loads(self.body), "KeyId": key.id})
    answer = json.loads(moto())
    return json.dumps({**answer, "KeyId": key.arn, "KeyState": "PendingDeletion", "PendingWindowInDays": days or 30})


@mend(KmsResponse)
def encrypt(moto, self):
    """Encrypt: a disabled key gives DisabledException."""
    key_of(self, "Enabled")
    return moto()


@mend(KmsResponse)
def list_keys(moto, self):
    """ListKeys returns Limit keys in a page, 100 by default. Truncated and NextMarker say that there are more."""
    return page(self, "Keys", json.loads(moto())["Keys"], 100)


@mend(KmsResponse)
def list_aliases(moto, self):
    """ListAliases returns Limit aliases in a page, 50 by default."""
    return page(self, "Aliases", json.loads(moto())["Aliases"], 50)


def page(self, name, everything, usual):
    start, limit = int(self._get_param("Marker") or 0), self._get_param("Limit") or usual
    answer = {name: everything[start:start + limit], "Truncated": len(everything) > start + limit}
    if answer["Truncated"]:
        answer["NextMarker"] = str(start + limit)
    return json.dumps(answer)


@mend(KmsBackend)
def delete_alias(moto, self, alias_name):
    """DeleteAlias: an alias that does not exist gives NotFoundException."""
    if not self.alias_exists(alias_name):
        raise NotFoundException(f"Alias arn:aws:kms:{self.region_name}:{self.account_id}:{alias_name} is not found.")
    return moto(alias_name)
