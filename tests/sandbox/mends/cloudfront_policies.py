"""CloudFront: origin access controls and policies, including AWS's managed policies. moto has no policies at all."""
import time

from moto.cloudfront import urls
from moto.cloudfront.exceptions import CloudFrontException, InvalidIfMatchVersion
from moto.cloudfront.models import random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

# "Use managed cache policies", "… origin request policies", "… response headers policies" (Amazon CloudFront Developer
# Guide).
NO = {"HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "none"}}
ALL = {"HeadersConfig": {"HeaderBehavior": "allViewer"}, "CookiesConfig": {"CookieBehavior": "all"}, "QueryStringsConfig": {"QueryStringBehavior": "all"}}
HOST = {"HeaderBehavior": "allExcept", "Headers": {"Quantity": 1, "Items": ["Host"]}}
SAFE = {
    "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True}, "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
    "ReferrerPolicy": {"Override": False, "ReferrerPolicy": "strict-origin-when-cross-origin"}, "ContentTypeOptions": {"Override": True},
    "StrictTransportSecurity": {"Override": False, "AccessControlMaxAgeSec": 31536000},
}


def cached(low, usual, high, compressed):
    return {"MinTTL": low, "DefaultTTL": usual, "MaxTTL": high, "ParametersInCacheKeyAndForwardedToOrigin": {
        "EnableAcceptEncodingGzip": compressed, "EnableAcceptEncodingBrotli": compressed, **NO}}


MANAGED = {
    "CachePolicy": [
        ("CachingOptimized", "658327ea-f89d-4fab-a63d-7e88639e58f6", cached(1, 86400, 31536000, True)),
        ("CachingOptimizedForUncompressedObjects", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d", cached(1, 86400, 31536000, False)),
        ("CachingDisabled", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", cached(0, 0, 0, False)),
    ],
    "OriginRequestPolicy": [
        ("AllViewer", "216adef6-5c7f-47e4-b989-5492eafa07d3", ALL),
        ("AllViewerExceptHostHeader", "b689b0a8-53d0-40ab-baf2-68738e2966ac", {**ALL, "HeadersConfig": HOST}),
    ],
    "ResponseHeadersPolicy": [
        ("SecurityHeadersPolicy", "67f7725c-6f97-4210-82d7-5512b31e9d03", {"SecurityHeadersConfig": SAFE}),
    ],
    "OriginAccessControl": [],
}
LIMITS = {"OriginAccessControl": ("Description", 256)}
PATHS = {"CachePolicy": "cache-policy", "OriginRequestPolicy": "origin-request-policy", "ResponseHeadersPolicy": "response-headers-policy"}


class Thing:
    def __init__(self, config, id=None, managed=False):
        self.id, self.managed = id or (str(mock_random.uuid4())), managed
        self.change(config)

    def change(self, config):
        self.config, self.etag, self.changed = config, random_id(), time.time()


def of(backend, kind):
    """Returns the resources of a kind by id, including AWS's managed ones."""
    kinds = backend.__dict__.setdefault("marked", {})
    if kind not in kinds:
        own = [Thing({"Name": f"Managed-{name}", "Comment": "", **config}, id, True) for name, id, config in MANAGED[kind]]
        kinds[kind] = {thing.id: thing for thing in own}
    return kinds[kind]


def uses(backend, kind, id, items):
    """True when a distribution uses the resource."""
    for dist in backend.distributions.values():
        config = dist.distribution_config
        behaviors = [config["DefaultCacheBehavior"]] + items(config["CacheBehaviors"])
        if any(part.get(kind + "Id") == id for part in behaviors + items(config["Origins"])):
            return True
    return False


def apply(refuse, items):
    for kind in MANAGED:
        operations(kind, refuse, items)
    for path in PATHS.values():
        base = "{0}/2020-05-31/" + path
        urls.url_paths.update({base + end: CloudFrontResponse.dispatch for end in ("$", "/(?P<policy>[^/]+)$", "/(?P<policy>[^/]+)/config$")})


def operations(kind, refuse, items):
    """Defines the operations of one kind.

    Create: names are unique (…AlreadyExists), and the length of the description or comment is limited. Update and
    delete: IfMatch must be the latest version, which each update changes; otherwise the error is PreconditionFailed.
    Delete: a resource that a distribution uses gives …InUse. Changes of AWS's managed policies are refused
    (AccessDenied).
    """
    snake = "".join("_" + c.lower() if c.isupper() else c for c in kind).lstrip("_")
    config_key = kind + "Config"
    text, limit = LIMITS.get(kind, ("Comment", 128))
    is_control = kind == "OriginAccessControl"

    def described(thing):
        extra = {} if is_control else {"LastModifiedTime": thing.changed}
        return {"Id": thing.id, config_key: thing.config, **extra}

    def answer(thing):
        return ActionResult({kind: described(thing), "ETag": thing.etag, "Location": f"https://cloudfront.amazonaws.com/2020-05-31/{snake}/{thing.id}"})

    def checked(self, own=None):
        config = {key: value for key, value in self._get_param(config_key, {}).items() if value is not None}
        for other in of(self.backend, kind).values():
            if other is not own and other.config["Name"] == config["Name"]:
                refuse(kind + "AlreadyExists", f"A {kind} with this name already exists: {other.id}")
        if len(config.get(text) or "") > limit:
            refuse("InvalidArgument", f"The parameter {text} is too long.")
        config.setdefault(text, "")
        if kind == "CachePolicy":
            config.setdefault("DefaultTTL", max(86400, config["MinTTL"]))
            config.setdefault("MaxTTL", max(31536000, config["DefaultTTL"]))
        return config

    def found(self, versioned=False):
        thing = of(self.backend, kind).get(self._get_param("Id"))
        if not thing:
            refuse("NoSuch" + kind, f"The {kind} does not exist.")
        if versioned:
            if thing.managed:
                raise CloudFrontException("AccessDenied", "Managed policies cannot be changed or deleted.")
            if not self._get_param("IfMatch"):
                raise InvalidIfMatchVersion
            if self._get_param("IfMatch") != thing.etag:
                refuse("PreconditionFailed", "The precondition in one or more of the request fields evaluated to false.")
        return thing

    def create(self):
        thing = Thing(checked(self), random_id() if is_control else None)
        of(self.backend, kind)[thing.id] = thing
        return answer(thing)

    def get_config(self):
        thing = found(self)
        return ActionResult({config_key: thing.config, "ETag": thing.etag})

    def update(self):
        thing = found(self, True)
        thing.change(checked(self, thing))
        return answer(thing)

    def delete(self):
        thing = found(self, True)
        if uses(self.backend, kind, thing.id, items):
            refuse(kind + "InUse", f"The {kind} is in use.")
        del of(self.backend, kind)[thing.id]
        return EmptyResult()

    def listed(self):
        kind_filter = self._get_param("Type")
        things = [t for t in of(self.backend, kind).values() if kind_filter in (None, "managed" if t.managed else "custom")]
        start, size = int(self._get_param("Marker") or 0), self._get_int_param("MaxItems") or 100
        page = things[start:start + size]
        following = str(start + size) if len(things) > start + size else None
        if is_control:
            rows = [{"Id": t.id, **t.config} for t in page]
            more = {"Marker": str(start), "IsTruncated": following is not None}
        else:
            rows, more = [{"Type": "managed" if t.managed else "custom", kind: described(t)} for t in page], {}
        return ActionResult({kind + "List": {"NextMarker": following, "MaxItems": size, "Quantity": len(page), "Items": rows or None, **more}})

    plural = snake.replace("policy", "policies") if snake.endswith("policy") else snake + "s"
    for name, function in (("create_" + snake, create), ("get_" + snake, lambda self: answer(found(self))), (f"get_{snake}_config", get_config),
                           ("update_" + snake, update), ("delete_" + snake, delete), ("list_" + plural, listed)):
        setattr(CloudFrontResponse, name, function)
