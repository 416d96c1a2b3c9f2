"""How values lie in a parameter node: the names and texts are those that Slicer's own wrapper writes."""

import enum
import pathlib
import types
import typing

import slicer

from .annotations import Validator, split


def storageFor(annotated):
    """What writes and reads values of the type."""
    kind, annotations = split(annotated)
    validators = [one for one in annotations if isinstance(one, Validator)]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (int, float):
        return _Text(kind, str, kind, kind(0), (int, float) if kind is float else int, validators)
    if kind is bool:
        return _Text(bool, lambda value: "True" if value else "False", "True".__eq__, False, bool, validators)
    if kind is str:
        return _Text(str, str, str, "", str, validators)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return _Text(kind, str, kind, kind(), kind, validators)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _Text(kind, lambda value: value.name, kind.__getitem__, next(iter(kind)), kind, validators)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return _Node(kind, validators)
    if origin in (typing.Union, types.UnionType):
        return _Union(arguments)
    if origin is list:
        return _List(storageFor(arguments[0]))
    if origin is tuple:
        return _Tuple([storageFor(one) for one in arguments])
    if origin is dict:
        return _Dict(arguments)
    raise TypeError(f"the stand-in for parameterNodeWrapper cannot store {annotated}")


class _Text:
    """Anything that is one text."""

    cached = True

    def __init__(self, kind, write, read, default, accepted, validators):
        self.kind, self.default = kind, default
        self._write, self._read, self._accepted, self._validators = write, read, accepted, validators

    def accepts(self, value):
        try:
            self.validate(value)
        except (TypeError, ValueError):
            return False
        return True

    def validate(self, value):
        if value is None:
            raise ValueError("None is not allowed")
        if not isinstance(value, self._accepted):
            raise TypeError(f"{value!r} is not a {self.kind.__name__}")
        for validator in self._validators:
            validator.validate(value)

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        self.validate(value)
        node.SetParameter(name, self._write(value))

    def read(self, node, name):
        return self._read(node.GetParameter(name))

    def remove(self, node, name):
        node.UnsetParameter(name)


class _Node(_Text):
    """A node reference; the empty parameter of the same name says that there is a value, which may be None."""

    def __init__(self, kind, validators):
        super().__init__(kind, None, None, None, kind, validators)

    def validate(self, value):
        if value is not None:
            super().validate(value)

    def write(self, node, name, value):
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name):
        return node.GetNodeReference(name)

    def remove(self, node, name):
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class _None(_Text):
    def __init__(self):
        super().__init__(type(None), lambda value: "True", lambda text: None, None, type(None), [])

    def validate(self, value):
        if value is not None:
            raise ValueError(f"{value!r} is not None")


class _Union:
    """Each type under the parameter's name and its place in the union."""

    def __init__(self, arguments):
        self._parts = [_None() if split(one)[0] is type(None) else storageFor(one) for one in arguments]
        optional = len(self._parts) == 2 and isinstance(self._parts[1], _None)
        self.default = None if optional else self._parts[0].default
        self.cached = all(part.cached for part in self._parts)

    def _named(self, name):
        return [(part, f"{name}_{index}") for index, part in enumerate(self._parts)]

    def isIn(self, node, name):
        return any(part.isIn(node, own) for part, own in self._named(name))

    def write(self, node, name, value):
        chosen = [(part, own) for part, own in self._named(name) if part.accepts(value) and not _wrongNone(part, value)]
        if not chosen:
            raise TypeError(f"{value!r} is none of the allowed types")
        self.remove(node, name)
        chosen[0][0].write(node, chosen[0][1], value)

    def read(self, node, name):
        return next(part.read(node, own) for part, own in self._named(name) if part.isIn(node, own))

    def remove(self, node, name):
        for part, own in self._named(name):
            part.remove(node, own)


def _wrongNone(part, value):
    return value is None and isinstance(part, _Node)


class _Tuple:
    def __init__(self, parts):
        self._parts = parts
        self.default = tuple(part.default for part in parts)
        self.cached = all(part.cached for part in parts)

    def isIn(self, node, name):
        return self._parts[0].isIn(node, f"{name}_0")

    def write(self, node, name, value):
        if len(value) != len(self._parts):
            raise ValueError(f"{value!r} has not {len(self._parts)} values")
        for index, (part, one) in enumerate(zip(self._parts, value, strict=True)):
            part.write(node, f"{name}_{index}", one)

    def read(self, node, name):
        return tuple(part.read(node, f"{name}_{index}") for index, part in enumerate(self._parts))

    def remove(self, node, name):
        for index, part in enumerate(self._parts):
            part.remove(node, f"{name}_{index}")


class _List:
    """Read as a plain list: unlike Slicer's, changing it in place changes nothing in the node."""

    cached = False

    def __init__(self, element):
        self._element = element

    @property
    def default(self):
        return []

    def isIn(self, node, name):
        return node.HasParameter(f"{name}_len")

    def _count(self, node, name):
        return int(node.GetParameter(f"{name}_len") or 0)

    def write(self, node, name, value):
        for index in range(len(value), self._count(node, name)):
            self._element.remove(node, f"{name}_{index}")
        for index, one in enumerate(value):
            self._element.write(node, f"{name}_{index}", one)
        node.SetParameter(f"{name}_len", str(len(value)))

    def read(self, node, name):
        return [self._element.read(node, f"{name}_{index}") for index in range(self._count(node, name))]

    def remove(self, node, name):
        self.write(node, name, [])
        node.UnsetParameter(f"{name}_len")


class _Dict(_List):
    """A list of (key, value)."""

    def __init__(self, arguments):
        super().__init__(_Tuple([storageFor(one) for one in arguments]))

    @property
    def default(self):
        return {}

    def write(self, node, name, value):
        super().write(node, name, list(dict(value).items()))

    def read(self, node, name):
        return dict(super().read(node, name))
