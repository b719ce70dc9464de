"""What AWS documents and moto does differently, one module a service.

Each mend says in its docstring what AWS documents and where. A mend replaces one method of moto's; it is given the
method it replaces as its first argument.
"""
import functools
import importlib
import pkgutil


def mend(owner, name=None):
    """Decorator: replaces owner's method of the same name (or `name`); the function is called with the old one first."""

    def replace(function):
        attribute = name or function.__name__
        old = getattr(owner, attribute, None)

        @functools.wraps(function)
        def method(self, *args, **kwargs):
            return function(functools.partial(old, self) if old else None, self, *args, **kwargs)

        setattr(owner, attribute, method)
        return function

    return replace


def computed(owner, name=None):
    """Decorator: a property in place of an attribute that moto sets once; what moto sets stays in `_<name>`."""

    def replace(function):
        attribute = name or function.__name__
        setattr(owner, attribute, property(function, lambda self, value: self.__dict__.__setitem__("_" + attribute, value)))
        return function

    return replace


def apply():
    """Applies all mends; core comes first, since others wrap again what it wraps."""
    importlib.import_module(f"{__name__}.core")
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
