"""EventBridge: updates and deletions of rules."""
from moto.events.exceptions import ResourceNotFoundException
from moto.events.models import EventsBackend

from mends import mend


@mend(EventsBackend)
def put_rule(moto, self, name, *args, tags=None, **kwargs):
    """PutRule: "if you are updating an existing rule, any tags you specify in the PutRule operation are ignored"."""
    bus = self._normalize_event_bus_arn(kwargs.get("event_bus_arn"))
    exists = name in self._get_event_bus(bus).rules
    return moto(name, *args, tags=None if exists else tags, **kwargs)


@mend(EventsBackend)
def delete_rule(moto, self, name, event_bus_arn):
    """DeleteRule: an event bus that does not exist gives ResourceNotFoundException."""
    bus = self._normalize_event_bus_arn(event_bus_arn)
    if bus not in self.event_buses:
        raise ResourceNotFoundException(f"Event bus {bus} does not exist.")
    moto(name, event_bus_arn)
