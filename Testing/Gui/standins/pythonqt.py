"""PySide6's QObjects made to behave as PythonQt shows them in Slicer.

Properties are attributes, ``connect`` and ``disconnect`` take signatures as strings, ``name`` is the object's name. An
attribute that the C++ class does not have can be neither read nor set.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject

_plain_get = QObject.__getattribute__
_read, _write = QObject.property, QObject.setProperty
_meta_object = QObject.metaObject
_static_connect, _static_disconnect = QObject.connect, QObject.disconnect

_properties: dict[type, dict[str, QtCore.QMetaProperty]] = {}
# connections made with connect("signature", callable), by the address of the C++ object: PySide6 may drop its wrapper
_connections: dict[int, list[Connection]] = defaultdict(list)
_loading: list[bool] = []
_reading: set[tuple[int, str]] = set()


_RECEIVERS = (
    lambda deliver: lambda: deliver(),  # noqa: PLW0108
    lambda deliver: lambda a: deliver(a),  # noqa: PLW0108
    lambda deliver: lambda a, b: deliver(a, b),  # noqa: PLW0108
    lambda deliver: lambda a, b, c: deliver(a, b, c),  # noqa: PLW0108
)


class Connection:
    """One callable on one signal; PythonQt passes as many arguments as the callable takes."""

    def __init__(self, signature: str, slot: Callable, convert: Callable | None):
        self.signature = signature
        self.slot = slot
        self.convert = convert
        inside = signature.partition("(")[2].rstrip(")")
        sent = len(inside.split(",")) if inside else 0
        self.count = min(sent, positional_arguments(slot))
        # PySide6 sends what the receiver says it takes; of one that takes any number it thinks that it takes none
        self.receiver = _RECEIVERS[sent](self.deliver)

    def deliver(self, *values) -> None:
        if self.convert is not None:
            values = self.convert(*values)
        self.slot(*values[: self.count])


def positional_arguments(slot: Callable) -> float:
    """How many arguments the callable takes; PythonQt asks functions and methods only."""
    if not (inspect.isfunction(slot) or inspect.ismethod(slot)):
        return float("inf")
    code = slot.__code__
    if code.co_flags & inspect.CO_VARARGS:
        return float("inf")
    return code.co_argcount - (1 if inspect.ismethod(slot) else 0)


def properties_of(widget: QObject) -> dict[str, QtCore.QMetaProperty]:
    kind = type(widget)
    if kind not in _properties:
        meta = _meta_object(widget)
        found = (meta.property(index) for index in range(meta.propertyCount()))
        # a class that overrides, say, sizeHint() in Python has to be found by Qt
        _properties[kind] = {
            entry.name(): entry
            for entry in found
            if not inspect.isfunction(inspect.getattr_static(kind, entry.name(), None))
        }
    return _properties[kind]


def _read_property(widget: QObject, name: str, plain: Callable) -> Any:
    key = id(widget), name
    if key in _reading:  # sizeHint is a property and a virtual method: PySide6 looks for an override of it
        return plain(widget, name)
    _reading.add(key)
    try:
        return _read(widget, name)
    finally:
        _reading.discard(key)


def is_python_class(kind: type) -> bool:
    """A class that a module derived in Python: PythonQt lets such objects have attributes of their own."""
    return not kind.__module__.startswith(("PySide6", "shiboken6", "standins"))


# --- attributes ---


def _getter(plain: Callable) -> Callable:
    """__getattribute__ of a class that had ``plain`` before."""

    def get(self, name: str) -> Any:
        return _get_attribute(self, name, plain)

    return get


def _get_attribute(self, name: str, plain: Callable) -> Any:
    if name[0] != "_":
        if name in _METHODS:
            return functools.partial(_METHODS[name], self)
        if name == "name" and "name" not in properties_of(self):
            return _read(self, "objectName")
        if name in properties_of(self):
            return _read_property(self, name, plain)
    try:
        return plain(self, name)
    except AttributeError:
        if name[0] != "_":
            value = _read(self, name)  # a dynamic property, from a .ui file
            if value is not None:
                return value
        raise


def _set_attribute(self, name: str, value: Any) -> None:
    if name == "name" and "name" not in properties_of(self):
        name = "objectName"
    entry = properties_of(self).get(name)
    if entry is not None:
        _set_property(self, entry, value)
    elif name[0] != "_" and _is_dynamic(self, name):
        _write(self, name, value)
    elif name[0] == "_" or is_python_class(type(self)) or isinstance(value, QtCore.SignalInstance):
        _plain_set(self, name, value)
    elif not _loading:
        raise AttributeError(
            f"'{name}' does not exist on {_meta_object(self).className()} and creating new attributes on C++ objects "
            "is not allowed"
        )


@contextmanager
def loading() -> Iterator[None]:
    """PySide6's QUiLoader makes children attributes of the widget that it loads; PythonQt's does not."""
    _loading.append(True)
    try:
        yield
    finally:
        _loading.pop()


def _plain_set(self, name: str, value: Any) -> None:
    described = inspect.getattr_static(type(self), name, None)
    if hasattr(type(described), "__set__"):
        described.__set__(self, value)
    else:
        _plain_get(self, "__dict__")[name] = value


def _is_dynamic(widget: QObject, name: str) -> bool:
    return name.encode() in [bytes(known) for known in QObject.dynamicPropertyNames(widget)]


def _set_property(widget: QObject, entry: QtCore.QMetaProperty, value: Any) -> None:
    name, kind = entry.name(), _meta_object(widget).className()
    if not entry.isWritable():
        raise AttributeError(f"Property '{name}' of {kind} object is not writable")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    expected = entry.typeName()
    if expected == "QString" and not isinstance(value, str):
        raise AttributeError(f"Property '{name}' of type '{expected}' does not accept {value!r}")
    if isinstance(value, tuple):
        value = list(value)
    if not _write(widget, name, value):
        setter = getattr(widget, f"set{name[0].upper()}{name[1:]}", None)
        if setter is None:
            raise AttributeError(f"Property '{name}' of type '{expected}' does not accept {value!r}")
        setter(value)


# --- signals ---


def _signal(sender: QObject, signature: str) -> tuple[Any, Callable | None]:
    """The signal, and how its values are converted to those of the C++ signature (stand-ins only)."""
    signature = signature.replace(" ", "")
    name = signature.partition("(")[0]
    declared = getattr(type(sender), "SIGNATURES", {})
    if signature in declared:
        return _plain_get(sender, name), declared[signature]
    meta = _meta_object(sender)
    normalized = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    if "(" not in signature or meta.indexOfSignal(normalized) < 0:
        raise AttributeError(f"signal '{signature}' does not exist on {meta.className()}")
    return _plain_get(sender, name), None


def _connect(self, signature: str, *target) -> bool:
    """connect("clicked(bool)", callable) or connect("clicked()", receiver, "slot()")."""
    if not isinstance(signature, str):
        return _static_connect(signature, *target)  # PySide6 itself
    slot = target[0] if len(target) == 1 else getattr(target[0], target[1].partition("(")[0])
    if not callable(slot):
        raise TypeError(f"cannot connect {signature}: {slot!r} cannot be called")
    signal, convert = _signal(self, signature)
    connection = Connection(signature.replace(" ", ""), slot, convert)
    signal.connect(connection.receiver)
    (address,) = shiboken6.getCppPointer(self)
    if address not in _connections:
        self.destroyed.connect(lambda *_: _connections.pop(address, None))
    _connections[address].append(connection)
    return True


def _disconnect(self, signature: str | None = None, *target) -> bool:
    """Without arguments everything that connect() made is undone; PythonQt says whether there was something."""
    if not isinstance(signature, str | None):
        return _static_disconnect(signature, *target)
    (address,) = shiboken6.getCppPointer(self)
    wanted = None if signature is None else signature.replace(" ", "")
    if len(target) > 1:
        target = (getattr(target[0], target[1].partition("(")[0]),)
    found = [
        connection
        for connection in _connections.get(address, [])
        if wanted in (None, connection.signature) and (not target or connection.slot == target[0])
    ]
    for connection in found:
        _plain_get(self, connection.signature.partition("(")[0]).disconnect(connection.receiver)
        _connections[address].remove(connection)
    return bool(found)


def connections(sender: QObject, *names: str) -> int:
    """How many receivers the named signals have, by connect("…") or any other way."""
    meta = _meta_object(sender)
    count = 0
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.Signal and bytes(method.name().data()).decode() in names:
            signature = bytes(method.methodSignature().data()).decode()
            count += QObject.receivers(sender, QtCore.SIGNAL(signature))
    return count


# --- the patch ---

# setting these on the class would not do: PySide6 finds its own first
_METHODS = {
    "connect": _connect,
    "disconnect": _disconnect,
    "className": lambda self: _meta_object(self).className(),
    "delete": shiboken6.delete,
}


def _all_types(kind: type) -> Iterator[type]:
    yield kind
    for derived in type.__subclasses__(kind):
        yield from _all_types(derived)


def _keep_constants() -> None:
    """PySide6 6.12 gives back more references to None, True and False than it took; Python 3.12 does not count them."""
    if sys.version_info < (3, 12) and sys.implementation.name == "cpython":
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def install() -> None:
    """Patch PySide6, once per process: this cannot be undone."""
    _keep_constants()
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):  # PySide6 makes its types when they are first asked for
            getattr(module, name)
    for kind in set(_all_types(QObject)):
        kind.__setattr__ = _set_attribute  # each of PySide6's types has its own
        # those with methods that are static, too, have their own of this
        if "__getattribute__" in vars(kind) or kind is QObject:
            kind.__getattribute__ = _getter(kind.__getattribute__)
    QtWidgets.QMenu.__bool__ = lambda self: True  # an empty menu is a menu
