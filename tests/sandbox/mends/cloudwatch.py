"""CloudWatch: alarms and dashboards. (The protocol that current SDKs speak is in cbor.py.)"""
import re

from moto.cloudwatch.exceptions import DashboardInvalidInputError, ResourceNotFoundException, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from mends import mend


@mend(CloudWatchBackend)
def put_metric_alarm(moto, self, name, *args, tags=None, **kwargs):
    """PutMetricAlarm: a new alarm is INSUFFICIENT_DATA; for an existing one "its state is left unchanged, but the update
    completely overwrites the previous configuration", and tags "are ignored"."""
    before = self.alarms.get(name)
    alarm = moto(name, *args, tags=None if before else tags, **kwargs)
    alarm.state_value, alarm.state_reason_data = "INSUFFICIENT_DATA", None
    if before:
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, kept, getattr(before, kept))
    return alarm


@mend(CloudWatchResponse)
def put_composite_alarm(moto, self):
    """PutCompositeAlarm; moto keeps a composite alarm as a metric alarm with a rule."""
    return self.put_metric_alarm()


@mend(CloudWatchResponse)
def describe_alarms(moto, self):
    """DescribeAlarms: up to 100 names; all filters together; only metric alarms unless AlarmTypes says otherwise; pages of
    MaxRecords, 50 by default and at most 100."""
    names, prefix = self._get_param("AlarmNames") or [], self._get_param("AlarmNamePrefix")
    state, action = self._get_param("StateValue"), self._get_param("ActionPrefix")
    size = self._get_int_param("MaxRecords") or (100 if names else 50)
    if len(names) > 100 or size > 100:
        raise ValidationError("1 validation error detected: Value failed to satisfy constraint: Member must have length less than or equal to 100")
    types = self._get_param("AlarmTypes") or ["MetricAlarm"]
    found = [a for a in sorted(self.cloudwatch_backend.alarms.values(), key=lambda a: a.name)
             if (not names or a.name in names) and (not prefix or a.name.startswith(prefix)) and (not state or a.state_value == state)
             and (not action or any(x.startswith(action) for x in [*a.alarm_actions, *a.ok_actions, *a.insufficient_data_actions]))
             and ("MetricAlarm" if a.rule is None else "CompositeAlarm") in types]
    start = int(self._get_param("NextToken") or 0)
    shown = found[start:start + size]
    return ActionResult({"MetricAlarms": [a for a in shown if a.rule is None], "CompositeAlarms": [a for a in shown if a.rule is not None],
                         "NextToken": str(start + size) if start + size < len(found) else None})


@mend(CloudWatchBackend)
def delete_alarms(moto, self, alarm_names):
    """DeleteAlarms: the alarm's tags go with it."""
    for name in alarm_names:
        if name in self.alarms:
            self.tagger.delete_all_tags_for_resource(self.alarms[name].alarm_arn)
    moto(alarm_names)


def check_arn(self, arn):
    known = {a.alarm_arn for a in self.alarms.values()} | {r.rule_arn for r in self.insight_rules.values()}
    known |= {d.arn for d in self.dashboards.values()}
    if arn not in known:
        raise ResourceNotFoundException


@mend(CloudWatchBackend)
def list_tags_for_resource(moto, self, arn):
    """ListTagsForResource: ResourceNotFoundException for what does not exist."""
    check_arn(self, arn)
    return moto(arn)


@mend(CloudWatchBackend)
def untag_resource(moto, self, arn, tag_keys):
    """UntagResource of an alarm without tags is no error."""
    check_arn(self, arn)
    self.tagger.untag_resource_using_names(arn, tag_keys)


@mend(CloudWatchBackend)
def tag_resource(moto, self, arn, tags):
    """TagResource: ResourceNotFoundException for what does not exist."""
    check_arn(self, arn)
    self.tagger.tag_resource(arn, [{"Key": k, "Value": v} for k, v in tags.items()] if isinstance(tags, dict) else tags)


@mend(CloudWatchResponse)
def put_dashboard(moto, self):
    """PutDashboard: a name has 1 to 255 of A-Z a-z 0-9 - _. It replaces the body of one that is there, whose tags stay:
    "You can use this parameter only when creating a new dashboard"."""
    name, backend = self._get_param("DashboardName") or "", self.cloudwatch_backend
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise DashboardInvalidInputError("The value for field DashboardName contains invalid characters")
    there = name in backend.dashboards
    answer = moto()
    tags = self._get_param("Tags") or []
    if tags and not there:
        backend.tagger.tag_resource(backend.dashboards[name].arn, tags)
    return answer


@mend(CloudWatchBackend)
def delete_dashboards(moto, self, dashboards):
    """DeleteDashboards: its tags go with it; when one is not there, none is deleted."""
    if all(name in self.dashboards for name in dashboards):
        for name in dashboards:
            self.tagger.delete_all_tags_for_resource(self.dashboards[name].arn)
    return moto(dashboards)
