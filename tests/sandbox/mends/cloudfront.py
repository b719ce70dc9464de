"""CloudFront: configurations that are returned as sent and with AWS's defaults, ETags, and slow deployments."""
import copy
import time

import knobs
from moto.acm.models import acm_backends
from moto.cloudfront.exceptions import CloudFrontException, DistributionAlreadyExists, InvalidIfMatchVersion, NoSuchDistribution
from moto.cloudfront.models import CloudFrontBackend, random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.resourcegroupstaggingapi import models as tagging_api
from moto.wafv2.models import wafv2_backends

from mends import cloudfront_policies, mend, tagging  # noqa: F401  tagging first: it replaces the function that is wrapped below

knobs.DEFAULTS["pending"]["distribution"] = 0
knobs.settings["pending"].setdefault("distribution", 0)

NONE = {"Quantity": 0}
EMPTY = {"Enabled": False, "Quantity": 0}
USUAL = {"Quantity": 2, "Items": ["HEAD", "GET"]}
DEFAULTS = {
    "Aliases": NONE, "DefaultRootObject": "", "OriginGroups": NONE, "CacheBehaviors": NONE, "CustomErrorResponses": NONE,
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""}, "PriceClass": "PriceClass_All",
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True}, "WebACLId": "", "HttpVersion": "http2", "IsIPV6Enabled": False,
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}}, "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}
OF_ORIGINS = {
    "OriginPath": "", "CustomHeaders": NONE, "ConnectionAttempts": 3, "ConnectionTimeout": 10, "OriginAccessControlId": "",
    "OriginShield": {"Enabled": False},
}
OF_WEB_SERVERS = {"OriginReadTimeout": 30, "OriginKeepaliveTimeout": 5}
OF_BEHAVIORS = {
    "TrustedSigners": EMPTY, "TrustedKeyGroups": EMPTY, "AllowedMethods": USUAL, "SmoothStreaming": False, "Compress": False,
    "LambdaFunctionAssociations": NONE, "FunctionAssociations": NONE, "FieldLevelEncryptionId": "",
}


def refuse(code, message):
    raise CloudFrontException(code, message)


def filled(config, defaults):
    return {**copy.deepcopy(defaults), **{key: value for key, value in config.items() if value is not None}}


def items(of):
    return (of or {}).get("Items") or []


def whole(config):
    """DistributionConfig as GetDistributionConfig returns it: omitted members have AWS's defaults.

    The defaults are those of the CloudFront API Reference.
    """
    config = filled(config, DEFAULTS)
    config["Origins"]["Items"] = [filled(origin, OF_ORIGINS) for origin in items(config["Origins"])]
    for origin in config["Origins"]["Items"]:
        if origin.get("CustomOriginConfig"):
            origin["CustomOriginConfig"] = filled(origin["CustomOriginConfig"], OF_WEB_SERVERS)
    behaviors = [config["DefaultCacheBehavior"]] + items(config["CacheBehaviors"])
    behaviors = [filled(behavior, OF_BEHAVIORS) for behavior in behaviors]
    for behavior in behaviors:
        behavior["AllowedMethods"] = filled(behavior["AllowedMethods"], {"CachedMethods": USUAL})
    config["DefaultCacheBehavior"] = behaviors[0]
    if behaviors[1:]:
        config["CacheBehaviors"]["Items"] = behaviors[1:]
    for error in items(config["CustomErrorResponses"]):
        error.setdefault("ErrorCachingMinTTL", 10)
    certificate = config["ViewerCertificate"]
    if certificate.get("ACMCertificateArn"):
        certificate.update(Certificate=certificate["ACMCertificateArn"], CertificateSource="acm", CloudFrontDefaultCertificate=False)
        certificate.setdefault("MinimumProtocolVersion", "TLSv1")
    else:
        certificate = {"CloudFrontDefaultCertificate": True, "SSLSupportMethod": "vip", "MinimumProtocolVersion": "TLSv1",
                       "CertificateSource": "cloudfront"}
    config["ViewerCertificate"] = certificate
    return config


def check(backend, config, own=None):
    """Raises the errors of CreateDistribution and UpdateDistribution, as their pages in the API Reference document
    them."""
    named = {origin["Id"] for origin in items(config["Origins"])} | {group["Id"] for group in items(config["OriginGroups"])}
    for behavior in [config["DefaultCacheBehavior"]] + items(config["CacheBehaviors"]):
        if behavior["TargetOriginId"] not in named:
            refuse("NoSuchOrigin", "One or more of your origins or origin groups do not exist.")
        legacy = [key for key in ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL") if behavior.get(key) is not None]
        if behavior.get("CachePolicyId") and legacy:
            refuse("InvalidArgument", f"The parameter {legacy[0]} cannot be used when a cache policy is associated to the cache behavior.")
        if not behavior.get("CachePolicyId") and not behavior.get("ForwardedValues"):
            refuse("InvalidArgument", "The parameter ForwardedValues is required.")
        for kind in ("CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy"):
            if (policy := behavior.get(kind + "Id")) and policy not in cloudfront_policies.of(backend, kind):
                refuse("NoSuch" + kind, f"The {kind} {policy} does not exist.")
        if len({one["EventType"] for one in items(behavior["FunctionAssociations"])}) < len(items(behavior["FunctionAssociations"])):
            refuse("InvalidFunctionAssociation", "A cache behavior can have only one function association for each event type.")
    for origin in items(config["Origins"]):
        bucket, server = origin.get("S3OriginConfig"), origin.get("CustomOriginConfig")
        if bool(bucket) == bool(server) and not origin.get("VpcOriginConfig"):
            refuse("InvalidArgument", "An origin must have either an S3OriginConfig or a CustomOriginConfig.")
        if bucket and ".s3" not in origin["DomainName"]:
            refuse("InvalidArgument", "The parameter Origin DomainName does not refer to a valid S3 bucket.")
        control = origin.get("OriginAccessControlId")
        if control and control not in cloudfront_policies.of(backend, "OriginAccessControl"):
            refuse("NoSuchOriginAccessControl", "The specified origin access control does not exist.")
    aliases = set(items(config["Aliases"]))
    arn = config["ViewerCertificate"].get("ACMCertificateArn")
    if aliases and not arn:
        refuse("InvalidViewerCertificate", "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate that validates your authorization to use the domain name.")
    if arn and (":us-east-1:" not in arn or arn not in acm_backends[backend.account_id]["us-east-1"]._certificates):
        refuse("InvalidViewerCertificate", "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.")
    others = [dist for dist in backend.distributions.values() if dist is not own]
    if any(aliases & set(items(dist.distribution_config["Aliases"])) for dist in others):
        refuse("CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated with a different resource.")
    if (acl := config["WebACLId"]) and acl not in wafv2_backends[backend.account_id]["aws"].wacls:
        refuse("InvalidWebACLId", "A web ACL ID specified is not valid.")
    if config["PriceClass"] not in ("PriceClass_All", "PriceClass_200", "PriceClass_100"):
        refuse("InvalidArgument", "The parameter PriceClass is not valid.")
    if len(config["Comment"]) > 128:
        refuse("InvalidArgument", "The parameter Comment is too long.")


class Distribution:
    """A distribution. After each change it is InProgress for the seconds in the setting pending.distribution."""

    def __init__(self, backend, config):
        self.id = self.distribution_id = random_id()
        self.arn = f"arn:aws:cloudfront::{backend.account_id}:distribution/{self.id}"
        self.domain_name = f"{random_id(uppercase=False)}.cloudfront.net"
        self.location = f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{self.id}"
        self.change(config)

    def change(self, config):
        self.distribution_config, self.etag = config, random_id()
        self.since, self.changed = time.monotonic(), time.time()

    @property
    def status(self):
        return "InProgress" if knobs.pending("distribution", self.since) else "Deployed"

    def advance(self):
        """Does nothing: moto's list call advances the status of each distribution, but here the status depends on
        time."""

    def told(self):
        return {"Id": self.id, "ARN": self.arn, "Status": self.status, "LastModifiedTime": self.changed, "DomainName": self.domain_name,
                "InProgressInvalidationBatches": 0, "DistributionConfig": self.distribution_config,
                "ActiveTrustedSigners": EMPTY, "ActiveTrustedKeyGroups": EMPTY}

    def summary(self):
        """DistributionSummary has the whole configuration except CallerReference, DefaultRootObject and Logging."""
        config = {k: v for k, v in self.distribution_config.items() if k not in ("CallerReference", "DefaultRootObject", "Logging")}
        told = {k: v for k, v in self.told().items() if k in ("Id", "ARN", "Status", "LastModifiedTime", "DomainName")}
        return {**config, **told, "ETag": self.etag, "HttpVersion": config["HttpVersion"].upper()}


def found(self, tag=None):
    """Returns the distribution of a request. With a tag, the tag must be the distribution's current ETag."""
    dist = self.backend.distributions.get(self._get_param("Id"))
    if not dist:
        raise NoSuchDistribution
    if tag is not None:
        if not tag:
            raise InvalidIfMatchVersion
        if tag != dist.etag:
            refuse("PreconditionFailed", "The precondition in one or more of the request fields evaluated to false.")
    return dist


def answer(dist):
    return ActionResult({"Distribution": dist.told(), "ETag": dist.etag, "Location": dist.location})


def made(self, config, tags):
    for other in self.backend.distributions.values():
        if other.distribution_config["CallerReference"] == config["CallerReference"]:
            raise DistributionAlreadyExists(other.id)
    config = whole(config)
    check(self.backend, config)
    dist = Distribution(self.backend, config)
    self.backend.distributions[dist.id] = dist
    self.backend.tagger.tag_resource(dist.arn, tags)
    return answer(dist)


@mend(CloudFrontResponse)
def create_distribution(moto, self):
    return made(self, self._get_param("DistributionConfig", {}), [])


@mend(CloudFrontResponse)
def create_distribution_with_tags(moto, self):
    """CreateDistributionWithTags: a caller reference that was sent before gives DistributionAlreadyExists."""
    of = self._get_param("DistributionConfigWithTags", {})
    return made(self, of["DistributionConfig"], items(of.get("Tags")))


@mend(CloudFrontResponse)
def get_distribution(moto, self):
    return answer(found(self))


@mend(CloudFrontResponse)
def get_distribution_config(moto, self):
    dist = found(self)
    return ActionResult({"DistributionConfig": dist.distribution_config, "ETag": dist.etag})


@mend(CloudFrontResponse)
def update_distribution(moto, self):
    """UpdateDistribution replaces the whole configuration. The caller reference cannot change (IllegalUpdate).

    An ETag other than the latest gives PreconditionFailed. Each update changes the ETag.
    """
    dist = found(self, self._get_param("IfMatch") or "")
    config = whole(self._get_param("DistributionConfig", {}))
    if config["CallerReference"] != dist.distribution_config["CallerReference"]:
        refuse("IllegalUpdate", "The update contains modifications that are not allowed.")
    check(self.backend, config, dist)
    dist.change(config)
    return answer(dist)


@mend(CloudFrontResponse)
def delete_distribution(moto, self):
    """DeleteDistribution: the distribution must be disabled, and that change must be deployed. Its tags are deleted
    with it."""
    dist = found(self, self._get_param("IfMatch") or "")
    if dist.distribution_config["Enabled"] or dist.status != "Deployed":
        refuse("DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.")
    del self.backend.distributions[dist.id]
    self.backend.tagger.delete_all_tags_for_resource(dist.arn)
    return EmptyResult()


@mend(CloudFrontResponse)
def list_distributions(moto, self):
    dists, following = self.backend.list_distributions(marker=self._get_param("Marker"), max_items=self._get_int_param("MaxItems"))
    return ActionResult({"DistributionList": {
        "Marker": self._get_param("Marker") or "", "NextMarker": following, "MaxItems": self._get_int_param("MaxItems") or 100,
        "IsTruncated": following is not None, "Quantity": len(dists), "Items": [dist.summary() for dist in dists] or None}})


def tagged(self):
    """The tag operations accept the ARN of an existing resource. Another ARN gives NoSuchResource."""
    arn = self._get_param("Resource")
    known = [d.arn for d in self.backend.distributions.values()] + [f.arn for f in self.backend.functions.values()]
    if arn not in known + [store.arn for store in self.backend.key_value_stores.values()]:
        refuse("NoSuchResource", "A resource that was specified is not valid.")


@mend(CloudFrontResponse)
def list_tags_for_resource(moto, self):
    tagged(self)
    return moto()


@mend(CloudFrontResponse)
def tag_resource(moto, self):
    tagged(self)
    return moto()


@mend(CloudFrontResponse)
def untag_resource(moto, self):
    tagged(self)
    return moto()


everywhere = tagging_api.iter_taggable_backends


def iter_taggable_backends(account, region):
    """GetResources returns global resources in us-east-1 only."""
    return (of for of in everywhere(account, region) if region == "us-east-1" or not isinstance(of, CloudFrontBackend))


tagging_api.iter_taggable_backends = iter_taggable_backends
cloudfront_policies.apply(refuse, items)
