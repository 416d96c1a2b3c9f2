"""What can stand beside a type in Annotated[…]: defaults, limits, and how a widget shows the value."""

import typing
from dataclasses import dataclass


class Validator:
    """Base class; ``validate`` raises ValueError."""

    def validate(self, value):
        raise NotImplementedError


class _Test(Validator):
    def validate(self, value):
        if not self.holds(value):
            raise ValueError(f"{value!r} is not allowed by {self}")


@dataclass
class WithinRange(_Test):
    minimum: float
    maximum: float

    def holds(self, value):
        return self.minimum <= value <= self.maximum


@dataclass
class Minimum(_Test):
    minimum: float

    def holds(self, value):
        return value >= self.minimum


@dataclass
class Maximum(_Test):
    maximum: float

    def holds(self, value):
        return value <= self.maximum


@dataclass
class Choice(_Test):
    choices: list

    def holds(self, value):
        return value in self.choices


@dataclass
class Exclude(_Test):
    excludedValues: list

    def holds(self, value):
        return value not in self.excludedValues


class Default:
    """The value, or what makes it each time."""

    def __init__(self, value=None, *, generator=None):
        self._value, self._generator = value, generator

    @property
    def value(self):
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    value: int


@dataclass
class SingleStep:
    value: float


def split(annotated):
    """(type, annotations) of a type that may be annotated."""
    if typing.get_origin(annotated) is typing.Annotated:
        return annotated.__origin__, annotated.__metadata__
    return annotated, ()


def first(annotations, kind):
    return next((one for one in annotations if isinstance(one, kind)), None)
