"""Eventual consistency: reads omit objects that are younger than the staleness setting.

During a read these objects are removed from moto's state.

EC2 documents it as "eventual consistency" (EC2 API Reference, "Eventual consistency in the Amazon EC2 API"): a describe
call right after a create may omit the new resource, and a call that names its id may answer that the resource does not
exist. Only objects that a request created are ever hidden. Every object is stamped with its creation time.
"""
import contextlib
import time

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel

plain_new = BaseModel.__new__


def stamped_new(cls, *args, **kwargs):
    instance = plain_new(cls, *args, **kwargs)
    instance.born = time.monotonic()
    return instance


BaseModel.__new__ = stamped_new


def young(value, limit):
    return isinstance(value, BaseModel) and value.born > limit


def thinned(container, limit, undo, depth=0):
    """Removes young models from a dict or list in place. `undo` collects functions that restore the content."""
    items = list(container.items()) if isinstance(container, dict) else list(enumerate(container))
    if any(young(value, limit) for _, value in items):
        before = container.copy()
        if isinstance(container, dict):
            undo.append(lambda: (container.clear(), container.update(before)))
        else:
            undo.append(lambda: container.__setitem__(slice(None), before))
        for key, value in reversed(items):
            if young(value, limit):
                del container[key]
    for _, value in items:
        if isinstance(value, (dict, list)) and depth < 2:
            thinned(value, limit, undo, depth + 1)
        elif isinstance(value, BaseModel) and value.born <= limit and depth < 2:
            # For example the listeners of a load balancer, or the rules of a listener.
            for inner in vars(value).values():
                if isinstance(inner, (dict, list)):
                    thinned(inner, limit, undo, depth + 1)


@contextlib.contextmanager
def hidden(service, seconds):
    """Hides the young objects of one service. For the tagging API, which reads across services, hides those of all
    services."""
    limit, undo = time.monotonic() - seconds, []
    for backends in BackendDict._instances:
        if service not in (backends.service_name, "resourcegroupstaggingapi"):
            continue
        for account in backends.values():
            for backend in account.values():
                for container in vars(backend).values():
                    if isinstance(container, (dict, list)) and not isinstance(container, BaseBackend):
                        thinned(container, limit, undo)
    try:
        yield
    finally:
        for put_back in reversed(undo):
            put_back()
