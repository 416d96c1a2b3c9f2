"""Qt properties of stand-ins that only keep what they are given."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property


def kept(kind: Any, name: str, default: Any, changed: str = "") -> Property:
    """A property in the object's dictionary; ``changed`` names a method to call after it was set."""
    key = f"_{name}"

    def get(self):
        return self.__dict__.get(key, default)

    def set_(self, value):
        self.__dict__[key] = value
        if changed:
            getattr(self, changed)()

    return Property("QStringList" if kind is list else kind, get, set_)


def setter(name: str):
    """The slot setX(value) of property x."""

    def set_(self, value):
        setattr(self, name, value)

    return set_


def with_setters(kind: type) -> type:
    """Class decorator: every property x gets its setX, as in C++."""
    for name, value in list(vars(kind).items()):
        if isinstance(value, Property):
            method = f"set{name[0].upper()}{name[1:]}"
            if not hasattr(kind, method):
                setattr(kind, method, setter(name))
    return kind
