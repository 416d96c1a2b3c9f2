"""What can be chosen about a protocol; everything has a default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...errors import InputError
from ..case import Case
from .disturb import DISTURBANCES
from .supports import PLACES

SETTINGS = ("1", "2")
STRATEGIES = ("proposed", "worst", "random")


@dataclass(frozen=True)
class Options:
    """Choices; each protocol heeds those that concern it.

    Attributes:
        setting: "1" or "2": how the networks that are asked were trained (`published`); see `splits`.
        shots_slices: annotated slices of the support scan (`published`, `whole-volume`), 1 or more.
        folds: how many folds there are, or the numbers of those to run, from 0, of the usual ones.
        rounds: slices that the simulated reader reads at most (`interactive`), 1 or more.
        strategies: of `STRATEGIES`: how the reader chooses (`interactive`).
        anchors: of `supports.PLACES`: numbers of annotated slices (`one-slice`).
        disturbances: of `disturb.DISTURBANCES` (`robustness`).
        seed: of all that is drawn, 0 or more.
        tolerance_mm: distance between surfaces that the normalised surface Dice forgives, above 0.
        organs: names of those that are asked for, in any case of letters; None for all.
    """

    setting: str = "1"
    shots_slices: int = 3
    folds: int | tuple[int, ...] | None = None
    rounds: int = 10
    strategies: tuple[str, ...] = STRATEGIES
    anchors: tuple[int, ...] = tuple(PLACES)
    disturbances: tuple[str, ...] = DISTURBANCES
    seed: int = 0
    tolerance_mm: float = 2.0
    organs: tuple[str, ...] | None = None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Options:
        """From plain values: numbers may be texts, lists may be texts with commas; None stands for the default.

        Raises:
            InputError: there is no such option, or its value is none that it can have.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError(f"Protocols have no option “{name}”; there are: {', '.join(known)}.")
        read = {name: _READ[name](name, value) for name, value in values.items() if value is not None}
        return cls(**read)

    def wanted(self, cases: Iterable[Case]) -> None:
        """Check that the organs asked for are there.

        Raises:
            InputError: no case has one of them.
        """
        there = {name.casefold(): name for case in cases for name in case.organs}
        for organ in self.organs or ():
            if organ.casefold() not in there:
                known = ", ".join(sorted(there.values())) or "none"
                raise InputError(f"No scan has an organ called “{organ}”; there are: {known}.")

    def of(self, organs: Iterable[str]) -> list[str]:
        """Those of these organs that are asked for, in their order."""
        asked = None if self.organs is None else {name.casefold() for name in self.organs}
        return [name for name in organs if asked is None or name.casefold() in asked]


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, Iterable) else [value]


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if number < least or (isinstance(value, float) and value != number):
        raise InputError(f"The option “{name}” has to be a whole number, {least} or more, not “{value}”.")
    return number


def _count(name: str, value: Any) -> int:
    return _integer(name, value, 1)


def _seed(name: str, value: Any) -> int:
    return _integer(name, value, 0)


def _folds(name: str, value: Any) -> int | tuple[int, ...]:
    if isinstance(value, int) or (isinstance(value, str) and "," not in value):
        return _integer(name, value, 2)
    return tuple(sorted({_integer(name, number, 0) for number in _listed(value)}))


def _chosen(name: str, value: Any, known: Iterable[str]) -> tuple[str, ...]:
    asked = [str(entry) for entry in _listed(value)]
    for entry in asked:
        if entry not in known:
            raise InputError(f"The option “{name}” knows no “{entry}”; there are: {', '.join(known)}.")
    if not asked:
        raise InputError(f"The option “{name}” is empty; there are: {', '.join(known)}.")
    return tuple(entry for entry in known if entry in asked)


def _setting(name: str, value: Any) -> str:
    return _chosen(name, str(value), SETTINGS)[0]


def _strategies(name: str, value: Any) -> tuple[str, ...]:
    return _chosen(name, value, STRATEGIES)


def _disturbances(name: str, value: Any) -> tuple[str, ...]:
    return _chosen(name, value, DISTURBANCES)


def _anchors(name: str, value: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in _chosen(name, value, [str(number) for number in PLACES]))


def _millimetres(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"The option “{name}” has to be a length in mm above 0, not “{value}”.")
    return number


def _organs(_name: str, value: Any) -> tuple[str, ...] | None:
    return tuple(str(organ) for organ in _listed(value)) or None


_READ: dict[str, Callable[[str, Any], Any]] = {
    "setting": _setting,
    "shots_slices": _count,
    "folds": _folds,
    "rounds": _count,
    "strategies": _strategies,
    "anchors": _anchors,
    "disturbances": _disturbances,
    "seed": _seed,
    "tolerance_mm": _millimetres,
    "organs": _organs,
}
