"""CloudTrail: the description of a trail, and updates that remove settings."""
import json

from moto.cloudtrail.models import CloudTrailBackend, Trail
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError
from moto.s3.models import s3_backends

from mends import mend

DEFAULT = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}]


def check_bucket(trail):
    """CreateTrail, UpdateTrail: a bucket whose policy does not grant CloudTrail access gives
    InsufficientS3BucketPolicyException."""
    bucket = s3_backends[trail.account_id][trail.partition].get_bucket(trail.bucket_name)
    if b"cloudtrail.amazonaws.com" not in (bucket.policy or b""):
        raise JsonRESTError("InsufficientS3BucketPolicyException", f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket_name}")


@mend(Trail)
def __init__(moto, self, *args, **kwargs):
    moto(*args, **kwargs)
    check_bucket(self)


@mend(CloudTrailBackend)
def create_trail(moto, self, name, *args, **kwargs):
    """CreateTrail: a name that is already in use gives TrailAlreadyExistsException."""
    if name in self.trails:
        raise JsonRESTError("TrailAlreadyExistsException", f"Trail {name} already exists")
    return moto(name, *args, **kwargs)


@mend(Trail)
def description(moto, self, include_region=False):
    """Trail has HasCustomEventSelectors and HasInsightSelectors. Settings that an empty string removed are omitted."""
    custom = bool(self.advanced_event_selectors) or self.event_selectors not in ([], DEFAULT)
    answer = {**moto(include_region), "HasCustomEventSelectors": custom, "HasInsightSelectors": bool(self.insight_selectors)}
    return {k: v for k, v in answer.items() if v not in (None, "")}


@mend(Trail)
def update(moto, self, **changes):
    """UpdateTrail: the bucket and the topic must exist."""
    moto(**changes)
    self.check_bucket_exists()
    self.check_topic_exists()
    check_bucket(self)


@mend(Trail)
def put_event_selectors(moto, self, event_selectors, advanced_event_selectors):
    """PutEventSelectors: "if you apply EventSelectors to a trail, any existing AdvancedEventSelectors are overwritten",
    and vice versa."""
    full = [{**DEFAULT[0], **selector} for selector in event_selectors or []]
    self.event_selectors, self.advanced_event_selectors = full, advanced_event_selectors or []


@mend(Trail)
def get_event_selectors(moto, self):
    return (self.event_selectors or ([] if self.advanced_event_selectors else DEFAULT)), self.advanced_event_selectors


@mend(Trail)
def put_insight_selectors(moto, self, insight_selectors):
    """PutInsightSelectors replaces the existing selectors. An empty list disables Insights."""
    self.insight_selectors = insight_selectors


@mend(CloudTrailResponse)
def get_insight_selectors(moto, self):
    """GetInsightSelectors: a trail without selectors gives InsightNotEnabledException."""
    answer = moto()
    if not json.loads(answer).get("InsightSelectors"):
        raise JsonRESTError("InsightNotEnabledException", "The trail does not have Insights enabled.")
    return answer


@mend(CloudTrailBackend)
def delete_trail(moto, self, name):
    """DeleteTrail accepts a name or an ARN. An unknown trail gives TrailNotFoundException. The trail's tags are deleted
    with it."""
    trail = self.get_trail(name)
    moto(trail.trail_name)
    self.tagging_service.delete_all_tags_for_resource(trail.arn)


@mend(CloudTrailBackend)
def remove_tags(moto, self, resource_id, tags_list):
    """RemoveTags: the keys are sufficient."""
    self.tagging_service.untag_resource_using_names(resource_id, [tag["Key"] for tag in tags_list])
