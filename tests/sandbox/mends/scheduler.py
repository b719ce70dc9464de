"""EventBridge Scheduler: client tokens, and the semantics of an update."""
import json

from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule
from moto.scheduler.responses import EventBridgeSchedulerResponse

from mends import mend

RETRIES = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


@mend(EventBridgeSchedulerResponse)
def create_schedule(moto, self):
    """CreateSchedule: ClientToken "ensures the idempotency of the request".

    ActionAfterCompletion is NONE by default.
    """
    seen = self.scheduler_backend.__dict__.setdefault("client_tokens", {})
    token, asked = self._get_param("ClientToken"), json.dumps(json.loads(self.body), sort_keys=True)
    if token and seen.get(token, (None,))[0] == asked:
        return seen[token][1]
    answer = moto()
    name = self.uri.split("?")[0].split("/")[-1]
    made = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
    made.action_after_completion = made.action_after_completion or "NONE"
    seen[token] = (asked, answer)
    return answer


@mend(EventBridgeSchedulerResponse)
def update_schedule(moto, self):
    """UpdateSchedule "uses all values, including empty values, specified in the request and overrides the existing
    schedule".

    This includes ActionAfterCompletion. The state is ENABLED by default.
    """
    answer = moto()
    name = self.uri.split("?")[0].split("/")[-1]
    schedule = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
    schedule.action_after_completion = self._get_param("ActionAfterCompletion") or "NONE"
    schedule.state = schedule.state or "ENABLED"
    return answer


def validate_target(target):
    """RetryPolicy: each part has its own default, 86400 seconds and 185 attempts."""
    target["RetryPolicy"] = {**RETRIES, **(target.get("RetryPolicy") or {})}
    return target


Schedule.validate_target = staticmethod(validate_target)


@mend(EventBridgeSchedulerBackend)
def delete_schedule(moto, self, group_name, name):
    """DeleteSchedule: afterwards the client token of the deleted schedule creates a new one."""
    moto(group_name, name)
    self.__dict__.get("client_tokens", {}).clear()
