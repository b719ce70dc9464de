"""Corrections of moto towards AWS's documented behaviour, in one or more modules for each service.

A correction is a function under `@mend(Owner)`. It replaces one method of moto and receives the replaced method as its
first argument, `moto`. Its docstring names AWS's operation or field and states or quotes AWS's documentation.
"""
import functools
import importlib
import pkgutil


def mend(owner, name=None):
    """Replaces owner's method of the function's name (or `name`). A decorator.

    The function is called with the replaced method, bound to self, as its first argument. The argument is None when
    moto has no such method.
    """

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
    """Replaces an attribute that moto sets once by a property. A decorator.

    Values that moto assigns to the attribute are kept in `_<name>`.
    """

    def replace(function):
        attribute = name or function.__name__
        setattr(owner, attribute, property(function, lambda self, value: self.__dict__.__setitem__("_" + attribute, value)))
        return function

    return replace


def apply():
    """Applies all corrections. core comes first, because other modules wrap the same methods again."""
    importlib.import_module(f"{__name__}.core")
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
