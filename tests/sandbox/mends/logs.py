"""CloudWatch Logs: log groups and their metric filters."""
import json
import re

from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

from mends import mend

DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


LogGroup.log_group_class, LogGroup.protected = "STANDARD", False


@mend(LogsResponse)
def create_log_group(moto, self):
    """CreateLogGroup: a name has 1 to 512 characters of a-z A-Z 0-9 _ - / . #. The default class is STANDARD."""
    name = self._get_param("logGroupName") or ""
    if not re.fullmatch(r"[\.\-_/#A-Za-z0-9]{1,512}", name):
        raise InvalidParameterException(constraint=r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
                                        parameter="logGroupName", value=name)
    answer = moto()
    group = self.logs_backend.groups[name]
    group.log_group_class = self._get_param("logGroupClass") or "STANDARD"
    group.protected = bool(self._get_param("deletionProtectionEnabled"))
    return answer


@mend(LogGroup)
def to_describe_dict(moto, self):
    """LogGroup has logGroupClass and deletionProtectionEnabled."""
    return {**moto(), "logGroupClass": self.log_group_class, "deletionProtectionEnabled": self.protected}


@mend(LogsBackend)
def delete_log_group(moto, self, log_group_name):
    """DeleteLogGroup also deletes the group's tags and metric filters. A protected group is refused."""
    group = self.groups.get(log_group_name)
    if group and group.protected:
        raise LogsClientError("OperationAbortedException", "The log group has deletion protection enabled")
    moto(log_group_name)
    self.tagger.delete_all_tags_for_resource(group.arn)
    self.filters.metric_filters = [f for f in self.filters.metric_filters if f["logGroupName"] != log_group_name]


@mend(LogsResponse)
def put_log_group_deletion_protection(moto, self):
    """PutLogGroupDeletionProtection accepts a name or an ARN."""
    group = self.logs_backend.groups.get(self._get_param("logGroupIdentifier").split(":log-group:")[-1].removesuffix(":*"))
    if not group:
        raise ResourceNotFoundException()
    group.protected = self._get_param("deletionProtectionEnabled")
    return ""


@mend(LogsResponse)
def describe_log_groups(moto, self):
    """DescribeLogGroups: logGroupNamePattern is a case-sensitive substring. It excludes a prefix."""
    part, kind = self._get_param("logGroupNamePattern"), self._get_param("logGroupClass")
    if part and self._get_param("logGroupNamePrefix"):
        raise InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    if not part and not kind:
        return moto()
    found = [g.to_describe_dict() for name, g in sorted(self.logs_backend.groups.items()) if (part or "") in name]
    return json.dumps({"logGroups": [g for g in found if kind in (None, g["logGroupClass"])]})


@mend(LogsBackend)
def put_retention_policy(moto, self, log_group_name, retention_in_days):
    """PutRetentionPolicy accepts only the documented numbers of days."""
    if int(retention_in_days) not in DAYS:
        raise InvalidParameterException(constraint=f"Member must satisfy enum value set: {DAYS}", parameter="retentionInDays",
                                        value=retention_in_days)
    moto(log_group_name, int(retention_in_days))


def key_of(self, key):
    name = self._get_param("logGroupName") or (self._get_param("resourceIdentifier") or "").split(":log-group:")[-1].removesuffix(":*")
    if name not in self.logs_backend.groups:
        raise ResourceNotFoundException()
    self.logs_backend.groups[name].kms_key_id = key
    return ""


@mend(LogsResponse)
def associate_kms_key(moto, self):
    """AssociateKmsKey and DisassociateKmsKey change the log group's kmsKeyId."""
    return key_of(self, self._get_param("kmsKeyId"))


@mend(LogsResponse)
def disassociate_kms_key(moto, self):
    return key_of(self, None)


def check_arn(self):
    """The tag operations accept the ARN without the trailing :*. The resource must exist."""
    arn = self._get_param("resourceArn") or ""
    known = {g.arn for g in self.logs_backend.groups.values()}
    backend = self.logs_backend
    for kind in (backend.destinations, backend.delivery_sources, backend.delivery_destinations, backend.deliveries):
        known |= {d.arn for d in kind.values() if hasattr(d, "arn")}
    if arn not in known:
        raise ResourceNotFoundException("The specified resource does not exist.")


@mend(LogsResponse)
def list_tags_for_resource(moto, self):
    check_arn(self)
    return moto()


@mend(LogsResponse)
def tag_resource(moto, self):
    check_arn(self)
    return moto()


@mend(LogsResponse)
def untag_resource(moto, self):
    check_arn(self)
    return moto()


@mend(LogsResponse)
def put_metric_filter(moto, self):
    """PutMetricFilter "creates or updates a metric filter and associates it with the specified log group".

    A log group has at most a hundred filters. A transformation has at most three dimensions, and cannot have a default
    value together with dimensions. The default unit is None.
    """
    name, group, backend = self._get_param("filterName"), self._get_param("logGroupName"), self.logs_backend
    if group not in backend.groups:
        raise ResourceNotFoundException()
    filters = backend.filters
    others = [f for f in filters.metric_filters if (f["filterName"], f["logGroupName"]) != (name, group)]
    if sum(f["logGroupName"] == group for f in others) >= 100:
        raise LogsClientError("LimitExceededException", "Resource limit exceeded.")
    for transformation in self._get_param("metricTransformations") or []:
        dimensions = transformation.get("dimensions") or {}
        if len(dimensions) > 3 or dimensions and transformation.get("defaultValue") is not None:
            raise InvalidParameterException("Invalid metric transformation: dimensions are at most three, and exclude a default value")
        if transformation["metricNamespace"].startswith("AWS/"):
            raise InvalidParameterException("Invalid metric transformation: namespace cannot begin with AWS/")
    before, filters.metric_filters = filters.metric_filters, others
    try:
        answer = moto()
    except Exception:
        filters.metric_filters = before
        raise
    more = {"applyOnTransformedLogs": bool(self._get_param("applyOnTransformedLogs"))}
    for field in ("fieldSelectionCriteria", "emitSystemFieldDimensions"):
        if self._get_param(field):
            more[field] = self._get_param(field)
    made = filters.metric_filters[-1]
    made.update(more, metricTransformations=[{"unit": "None", **transformation} for transformation in made["metricTransformations"]])
    return answer


@mend(LogsResponse)
def describe_metric_filters(moto, self):
    """DescribeMetricFilters returns the filters in the order of their names, in pages of limit, 50 by default."""
    group = self._get_param("logGroupName")
    if group and group not in self.logs_backend.groups:
        raise ResourceNotFoundException()
    found = sorted(json.loads(moto())["metricFilters"], key=lambda f: (f["filterName"], f["logGroupName"]))
    start, size = int(self._get_param("nextToken") or 0), self._get_param("limit") or 50
    answer = {"metricFilters": found[start:start + size]}
    return json.dumps({**answer, "nextToken": str(start + size)} if start + size < len(found) else answer)


@mend(LogsBackend)
def delete_metric_filter(moto, self, filter_name=None, log_group_name=None):
    """DeleteMetricFilter: a filter or log group that does not exist gives ResourceNotFoundException."""
    if not any((f["filterName"], f["logGroupName"]) == (filter_name, log_group_name) for f in self.filters.metric_filters):
        raise ResourceNotFoundException()
    moto(filter_name, log_group_name)
