"""Eventual consistency: while a read runs, what is younger than the staleness knob is taken out of moto's state.

EC2 documents it as "eventual consistency" (EC2 API Reference, "Eventual consistency in the Amazon EC2 API"): a
describe right after a create may not show the new resource, and naming its id may answer that it does not exist.
Only what was made by a request is ever hidden; every object is stamped with its birth when it is made.
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
    """Takes young models out of a dict or list in place; `undo` collects how to put them back."""
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
            for inner in vars(value).values():  # listeners of a load balancer, rules of a listener, ...
                if isinstance(inner, (dict, list)):
                    thinned(inner, limit, undo, depth + 1)


@contextlib.contextmanager
def hidden(service, seconds):
    """Hides the young of one service, or of all of them for the tagging API, which reads across services."""
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
