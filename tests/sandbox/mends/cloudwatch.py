"""CloudWatch: alarms and dashboards. cbor.py implements the protocol of current SDKs."""
import re

from moto.cloudwatch.exceptions import DashboardInvalidInputError, ResourceNotFoundException, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from mends import mend


@mend(CloudWatchBackend)
def put_metric_alarm(moto, self, name, *args, tags=None, **kwargs):
    """PutMetricAlarm: the state of a new alarm is INSUFFICIENT_DATA.

    For an existing alarm "its state is left unchanged, but the update completely overwrites the previous
    configuration", and tags "are ignored".
    """
    before = self.alarms.get(name)
    alarm = moto(name, *args, tags=None if before else tags, **kwargs)
    alarm.state_value, alarm.state_reason_data = "INSUFFICIENT_DATA", None
    if before:
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, kept, getattr(before, kept))
    return alarm


SUPPRESSION = {"ActionsSuppressor": "actions_suppressor", "ActionsSuppressorWaitPeriod": "actions_suppressor_wait_period",
               "ActionsSuppressorExtensionPeriod": "actions_suppressor_extension_period"}


@mend(CloudWatchResponse)
def put_composite_alarm(moto, self):
    """PutCompositeAlarm: moto stores a composite alarm as a metric alarm with a rule, and drops the suppressor.

    WaitPeriod and ExtensionPeriod are "required only when ActionsSuppressor is specified". The update of an alarm
    overwrites the whole configuration.
    """
    suppression = {field: self._get_param(field) for field in SUPPRESSION}
    if len({value is None for value in suppression.values()}) > 1:
        raise ValidationError("ActionsSuppressor, ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod must be specified together")
    answer = self.put_metric_alarm()
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    for field, attribute in SUPPRESSION.items():
        setattr(alarm, attribute, suppression[field])
    return answer


@mend(CloudWatchResponse)
def describe_alarms(moto, self):
    """DescribeAlarms accepts up to 100 names and applies all filters together.

    Only metric alarms are returned unless AlarmTypes says otherwise. A page has MaxRecords alarms: 50 by default (100
    when names are given) and at most 100.
    """
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
    """DeleteAlarms also deletes the alarms' tags."""
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
    """ListTagsForResource: a resource that does not exist gives ResourceNotFoundException."""
    check_arn(self, arn)
    return moto(arn)


@mend(CloudWatchBackend)
def untag_resource(moto, self, arn, tag_keys):
    """UntagResource succeeds for an alarm without tags."""
    check_arn(self, arn)
    self.tagger.untag_resource_using_names(arn, tag_keys)


@mend(CloudWatchBackend)
def tag_resource(moto, self, arn, tags):
    """TagResource: a resource that does not exist gives ResourceNotFoundException."""
    check_arn(self, arn)
    self.tagger.tag_resource(arn, [{"Key": k, "Value": v} for k, v in tags.items()] if isinstance(tags, dict) else tags)


@mend(CloudWatchResponse)
def put_dashboard(moto, self):
    """PutDashboard: a name has 1 to 255 characters of A-Z a-z 0-9 - _.

    The body of an existing dashboard is replaced, and its tags are kept. Tags: "You can use this parameter only when
    creating a new dashboard".
    """
    name, backend = self._get_param("DashboardName") or "", self.cloudwatch_backend
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise DashboardInvalidInputError("The value for field DashboardName contains invalid characters")
    exists = name in backend.dashboards
    answer = moto()
    tags = self._get_param("Tags") or []
    if tags and not exists:
        backend.tagger.tag_resource(backend.dashboards[name].arn, tags)
    return answer


@mend(CloudWatchBackend)
def delete_dashboards(moto, self, dashboards):
    """DeleteDashboards also deletes the dashboards' tags. When one dashboard does not exist, none is deleted."""
    if all(name in self.dashboards for name in dashboards):
        for name in dashboards:
            self.tagger.delete_all_tags_for_resource(self.dashboards[name].arn)
    return moto(dashboards)
