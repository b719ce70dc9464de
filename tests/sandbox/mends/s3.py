"""S3: the creation of buckets, and bucket settings that are returned as they were put."""
import base64
import functools
import html
import json
import re

import xmltodict
from moto.s3.models import FakeBucket, S3Backend, s3_backends
from moto.s3.responses import S3Response

from mends import mend

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# The URL's parameter -> (the root element of the answer, the error code when the setting does not exist).
ECHOED = {
    "lifecycle": ("LifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    "cors": ("CORSConfiguration", "NoSuchCORSConfiguration"),
    "encryption": ("ServerSideEncryptionConfiguration", None),
    "publicAccessBlock": ("PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
    "ownershipControls": ("OwnershipControls", "OwnershipControlsNotFoundError"),
    "logging": ("BucketLoggingStatus", None),
    "notification": ("NotificationConfiguration", None),
    "replication": ("ReplicationConfiguration", "ReplicationConfigurationNotFoundError"),
}
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# "SSE-C is disabled for new general purpose buckets" (default-s3-c-encryption-setting-faq)
AES256 = ("<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
          "<BucketKeyEnabled>false</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>")
MINIMUM = "x-amz-transition-default-minimum-object-size"


@mend(type(s3_backends))
def clear(moto, self):
    """Releases all bucket names when the state is reset."""
    moto()
    self.bucket_accounts.clear()


@mend(FakeBucket)
def get_permission(moto, self, action, resource):
    """A Deny statement with conditions applies only to requests that meet the conditions. moto applies it to every
    request.

    A policy that requires TLS would therefore deny the sandbox's plain HTTP, which stands for AWS's HTTPS.
    """
    if self.policy is None:
        return moto(action, resource)
    whole = self.policy
    policy = json.loads(whole)
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    policy["Statement"] = [s for s in statements if s["Effect"] == "Allow" or "Condition" not in s]
    try:
        self.policy = json.dumps(policy).encode()
        return moto(action, resource)
    finally:
        self.policy = whole


class Refused(Exception):
    """An error answer with AWS's code, whatever action moto assigns to the request."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.answer = status, {}, f"{HEAD}<Error><Code>{code}</Code><Message>{html.escape(message)}</Message></Error>"


def answering(function):
    @functools.wraps(function)
    def answer(*args):
        try:
            return function(*args)
        except Refused as refused:
            return refused.answer

    return answer


def setting_of(query):
    return next((name for name in ECHOED if name in query), None)


def settings_of(bucket):
    """Returns a bucket's settings, which are stored as they were put.

    A new bucket has SSE-S3, all public access blocked, and BucketOwnerEnforced (CreateBucket).
    """
    if "settings" not in bucket.__dict__:
        bucket.settings = {
            "encryption": AES256,
            "publicAccessBlock": "".join(f"<{block}>true</{block}>" for block in BLOCKS),
            "ownershipControls": f"<Rule><ObjectOwnership>{bucket.ownership_rule or 'BucketOwnerEnforced'}</ObjectOwnership></Rule>",
        }
    return bucket.settings


def inside(body):
    """Returns the content of the root element of an XML body."""
    text = re.sub(r"^\s*<\?xml[^>]*\?>\s*", "", body.decode())
    found = re.fullmatch(r"\s*<[^>]*[^/]>(.*)</[^>]*>\s*", text, re.S)
    return found.group(1) if found else ""


def all_of(value):
    return value if isinstance(value, list) else [value] if value is not None else []


def check_lifecycle(config):
    """LifecycleRule: a filter has one condition or And. A rule needs an action. An omitted id is generated."""
    for rule in all_of(config.get("Rule")):
        conditions = rule.get("Filter") or {}
        if len(conditions) > 1:
            raise Refused("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
        actions = ("Expiration", "Transition", "NoncurrentVersionExpiration", "NoncurrentVersionTransition", "AbortIncompleteMultipartUpload")
        if not any(action in rule for action in actions):
            raise Refused("InvalidRequest", "At least one action needs to be specified in a rule.")


def check_replication(backend, bucket, config):
    """Replication needs versioning on both buckets. A rule with a filter must have Priority and
    DeleteMarkerReplication."""
    if not bucket.is_versioned:
        raise Refused("InvalidRequest", "Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    for rule in all_of(config.get("Rule")):
        name = rule["Destination"]["Bucket"].split(":")[-1]
        partition, account = s3_backends.bucket_accounts.get(name, (None, None))
        if account is None:
            raise Refused("InvalidRequest", "Destination bucket must exist.")
        if not s3_backends[account][partition].buckets[name].is_versioned:
            raise Refused("InvalidRequest", "Destination bucket must have versioning enabled.")
        if "Filter" in rule and not ("Priority" in rule and "DeleteMarkerReplication" in rule):
            raise Refused("MalformedXML", "Priority and DeleteMarkerReplication must be specified with a filter")


def check_policy(bucket, body):
    """PutBucketPolicy: the policy is JSON with a Statement, and its resources are this bucket's.

    A public policy is accepted only while public policies are not blocked.
    """
    def malformed(message):
        return Refused("MalformedPolicy", message)

    try:
        policy = json.loads(body)
    except ValueError:
        raise malformed("Policies must be valid JSON and the first byte must be '{'") from None
    statements = all_of(policy.get("Statement")) if isinstance(policy, dict) else []
    if not statements:
        raise malformed("Missing required field Statement")
    for statement in statements:
        if not {"Effect", "Principal"} <= set(statement) or not {"Action", "NotAction"} & set(statement):
            raise malformed("Missing required field Principal" if "Principal" not in statement else "Missing required field Action")
        for resource in all_of(statement.get("Resource")):
            if not re.fullmatch(rf"arn:aws[\w-]*:s3:::{re.escape(bucket.name)}(/.*)?", resource):
                raise malformed("Policy has invalid resource")
        public = statement["Effect"] == "Allow" and statement["Principal"] in ("*", {"AWS": "*"}) and "Condition" not in statement
        if public and "<BlockPublicPolicy>true</BlockPublicPolicy>" in settings_of(bucket).get("publicAccessBlock", ""):
            raise Refused("AccessDenied", "User is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by "
                          "the BlockPublicPolicy block public access setting.", 403)


@mend(S3Response)
@answering
def _bucket_response_put(moto, self, request, bucket_name, query):
    """CreateBucket accepts tags in its body. Settings are returned as they were put.

    The answer to a PUT has no body.
    """
    if not query or set(query) <= {"x-id"}:
        return create(moto, self, request, bucket_name, query)
    bucket, setting = self.backend.get_bucket(bucket_name), setting_of(query)
    if "policy" in query:
        check_policy(bucket, self.body)
        self.backend.put_bucket_policy(bucket_name, self.body)
        return 204, {}, ""
    if "versioning" in query and bucket.object_lock_enabled and b"Suspended" in self.body:
        raise Refused("InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.", 409)
    if setting is None:
        return moto(request, bucket_name, query)
    config = next(iter(xmltodict.parse(self.body).values())) or {}
    text = inside(self.body)
    if setting == "lifecycle":
        check_lifecycle(config)
        bucket.minimum_size = request.headers.get(MINIMUM) or "all_storage_classes_128K"
        number = iter(range(1000))
        text = re.sub(r"<Rule>(?!.*?<ID>.*?</Rule>)", lambda _: f"<Rule><ID>{base64.b32encode(bytes([next(number)])).decode()[:2]}</ID>", text, flags=re.S)
    elif setting == "replication":
        check_replication(self.backend, bucket, config)
    elif setting == "encryption" and "<BlockedEncryptionTypes>" not in text:
        kept = re.search(r"<BlockedEncryptionTypes>.*</BlockedEncryptionTypes>", settings_of(bucket)["encryption"], re.S)
        text = text.replace("</Rule>", f"{kept.group(0) if kept else ''}</Rule>")
    elif setting == "publicAccessBlock":
        text = "".join(f"<{block}>{(config.get(block) or 'false').lower()}</{block}>" for block in BLOCKS)
    elif setting in ("notification", "logging"):
        # moto checks that the other resources exist.
        moto(request, bucket_name, query) if text else None
    settings_of(bucket)[setting] = text
    return 200, {}, ""


def create(moto, self, request, bucket_name, query):
    """CreateBucketConfiguration.Tags: the tags of a new bucket.

    "if you re-create an existing bucket that you already own in the North Virginia Region, Amazon S3 returns 200 OK",
    and changes nothing but ACLs.
    """
    exists = bucket_name in self.backend.buckets
    answer = moto(request, bucket_name, query)
    config = next(iter(xmltodict.parse(self.body).values())) or {} if self.body else {}
    tags = {tag["Key"]: tag.get("Value") or "" for tag in all_of((config.get("Tags") or {}).get("Tag"))}
    if tags and not exists:
        self.backend.put_bucket_tagging(bucket_name, tags)
    return answer


@mend(S3Response)
@answering
def _bucket_response_get(moto, self, bucket_name, query):
    """Answers have the documented root elements: VersioningConfiguration, and those of the settings."""
    setting = setting_of(query)
    if setting is None and "versioning" not in query:
        return moto(bucket_name, query)
    bucket = self.backend.get_bucket(bucket_name)
    if setting is None:
        status = f"<Status>{bucket.versioning_status}</Status>" if bucket.versioning_status else ""
        return 200, {}, f'{HEAD}<VersioningConfiguration xmlns="{NAMESPACE}">{status}</VersioningConfiguration>'
    root, missing = ECHOED[setting]
    text = settings_of(bucket).get(setting)
    if text is None and missing:
        raise Refused(missing, f"The {root} was not found", 404)
    headers = {MINIMUM: bucket.minimum_size} if setting == "lifecycle" else {}
    return 200, headers, f'{HEAD}<{root} xmlns="{NAMESPACE}">{text or ""}</{root}>'


@mend(S3Response)
@answering
def _bucket_response_delete(moto, self, bucket_name, query):
    """DeleteBucketEncryption: "the default encryption [goes back] to SSE-S3". Other settings are removed."""
    setting = setting_of(query)
    if setting is None:
        return moto(bucket_name, query)
    settings = settings_of(self.backend.get_bucket(bucket_name))
    settings.pop(setting, None)
    if setting == "encryption":
        settings["encryption"] = AES256
    return 204, {}, ""


@mend(S3Response)
def all_buckets(moto, self):
    """ListBuckets: with max-buckets the answer has a token for the next page.

    Each bucket has BucketRegion and BucketArn.
    """
    prefix, region, most = (self._get_param(name) for name in ("prefix", "bucket-region", "max-buckets"))
    after = base64.b64decode(self._get_param("continuation-token") or "").decode()
    found = sorted(b for b in self.backend.buckets if b > after and b.startswith(prefix or ""))
    found = [self.backend.buckets[name] for name in found]
    found = [bucket for bucket in found if region in (None, bucket.region_name)]
    page = found[:int(most)] if most else found
    rows = "".join(f"<Bucket><Name>{b.name}</Name><CreationDate>{b.creation_date_ISO8601}</CreationDate>"
                   f"<BucketRegion>{b.region_name}</BucketRegion><BucketArn>{b.arn}</BucketArn></Bucket>" for b in page)
    token = base64.b64encode(page[-1].name.encode()).decode() if len(page) < len(found) else ""
    token = f"<ContinuationToken>{token}</ContinuationToken>" if token else ""
    owner = "<Owner><ID>bcaf1ffd86f41161ca5fb16fd081034f</ID></Owner>"
    return 200, {}, f'{HEAD}<ListAllMyBucketsResult xmlns="{NAMESPACE}">{owner}<Buckets>{rows}</Buckets>{token}</ListAllMyBucketsResult>'


@mend(S3Backend)
def get_bucket_notification_configuration(moto, self, bucket_name):
    """Returns the configuration by which moto delivers events. A PUT that removes it also ends the delivery."""
    bucket = self.get_bucket(bucket_name)
    return moto(bucket_name) if settings_of(bucket).get("notification") else None


FakeBucket.minimum_size = "all_storage_classes_128K"
