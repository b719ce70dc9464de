"""Corrections for all services: client tokens, stale reads, and background work."""
import json

from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ecs.exceptions import ECSException

import knobs
import stale
from mends import mend

TOKENS = ("ClientToken", "clientToken")
READS = ("Describe", "List", "Get", "BatchGet")
# Functions that run before every request. They emulate AWS's background work.
ticks = []


@mend(BaseResponse)
def call_action(moto, self):
    """Applies the staleness setting to reads. A create that is repeated with its client token takes effect once."""
    for tick in ticks:
        tick()
    action = self._get_action() or ""
    if action.startswith(READS):
        seconds = knobs.staleness(self.service_name)
        if not seconds:
            return moto()
        with stale.hidden(self.service_name, seconds):
            return moto()
    return once_per_token(moto, self, action) if self.service_name in ("ec2", "ecs") else moto()


def once_per_token(moto, self, action):
    """EC2 API Reference, "Ensuring idempotency": a retry with the same client token and the same parameters succeeds
    without performing any further action. A retry with other parameters fails with IdempotentParameterMismatch. In ECS
    the parameter is clientToken."""
    params = getattr(self, "params", {})
    token = next((params[name] for name in TOKENS if params.get(name)), None)
    if not token:
        return moto()
    backend = self.ec2_backend if self.service_name == "ec2" else self.ecs_backend
    seen = backend.__dict__.setdefault("client_tokens", {})
    asked = json.dumps({k: v for k, v in params.items() if k not in TOKENS}, sort_keys=True, default=str)
    if (action, token) in seen:
        before, answer = seen[action, token]
        if before == asked:
            return answer
        mismatch = EC2ClientError if self.service_name == "ec2" else ECSException
        return self.serialized(ActionResult(mismatch("IdempotentParameterMismatch", "The client token was already used with other parameters.")))
    answer = moto()
    if int(answer[0]) < 300:
        seen[action, token] = (asked, answer)
    return answer
