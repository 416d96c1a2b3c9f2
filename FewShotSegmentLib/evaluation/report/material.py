"""What a report is made of: the rows in a fixed order, and what they are grouped by."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from ..row import Row

Key = TypeVar("Key")

UNDISTURBED = "undisturbed"
"""Setting with which the others of a protocol are compared, where there is one."""


class Named(Protocol):
    """A method as the report needs to know it; `Method` and `Recipe` both are.

    Attributes:
        name: as in `Row.method`.
        title: in tables.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def title(self) -> str: ...  # noqa: D102


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key for sorting as people do: "2 slices" before "10 slices"."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Rows by a key, keys and rows in order of appearance."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


@dataclass(frozen=True)
class Material:
    """Rows in an order that does not depend on which process was done first.

    Attributes:
        rows: sorted.
        methods: names of those that have rows, in the order of tables.
        titles: {name: title}.
    """

    rows: tuple[Row, ...]
    methods: tuple[str, ...]
    titles: Mapping[str, str]

    @classmethod
    def of(cls, rows: Iterable[Row], methods: Sequence[Named]) -> Material:
        """Sort rows; methods that nobody gave a title to come last."""
        rows = list(rows)
        held = {row.method for row in rows}
        order = [method.name for method in methods if method.name in held]
        order += sorted(held - set(order))
        places = {name: place for place, name in enumerate(order)}
        titles = {name: name for name in order} | {method.name: method.title or method.name for method in methods}

        def key(row: Row) -> tuple[object, ...]:
            return (
                row.protocol,
                row.dataset,
                natural(row.group),
                natural(row.organ),
                places[row.method],
                setting_key(row.setting),
                natural(row.fold),
                natural(row.case),
                natural(row.support),
                row.round,
                row.given,
                # what is still equal are two answers to one question: any order, but always the same
                str(row),
            )

        return cls(tuple(sorted(rows, key=key)), tuple(dict.fromkeys(order)), titles)

    @cached_property
    def answers(self) -> tuple[Row, ...]:
        """Rows that tables of means count: of a series of rounds the last one, all rows otherwise."""
        last: dict[tuple[object, ...], Row] = {}
        for row in self.rows:
            series = (*question(row), row.method)
            last[series] = row
        return tuple(last.values())

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """All settings, "undisturbed" first, then as people sort."""
        return tuple(sorted({row.setting for row in self.rows}, key=setting_key))

    @cached_property
    def organs(self) -> tuple[str, ...]:
        """Names of organs, as people sort."""
        return tuple(sorted({row.organ for row in self.rows}, key=natural))

    @cached_property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """(data set, group) pairs."""
        return tuple(sorted({(row.dataset, row.group) for row in self.rows}, key=lambda g: (g[0], natural(g[1]))))

    @property
    def scope(self) -> str:
        """What `dice` and the other overlaps are of, in words: as published, only the organ's own slices count."""
        published = bool(self.rows) and all(row.protocol == "published" for row in self.rows)
        return "own slices" if published else "whole volume"

    @property
    def has_rounds(self) -> bool:
        """Whether any answer was corrected."""
        return any(row.round for row in self.rows)

    @property
    def lead(self) -> str:
        """The method that others are compared with: "engine", else the first; "" without methods."""
        return "engine" if "engine" in self.methods else next(iter(self.methods), "")

    def title(self, method: str) -> str:
        """What a method is called in tables."""
        return self.titles.get(method, method)

    def only(self, chosen: Callable[[Row], bool]) -> Material:
        """The same with some of the rows."""
        rows = tuple(row for row in self.rows if chosen(row))
        held = {row.method for row in rows}
        return Material(rows, tuple(name for name in self.methods if name in held), self.titles)


def setting_key(setting: str) -> tuple[bool, tuple[tuple[int, int, str], ...]]:
    """Key for sorting settings."""
    return setting != UNDISTURBED, natural(setting)


def question(row: Row) -> tuple[str, ...]:
    """What two methods have to share for their answers to be paired (rounds aside)."""
    return (row.dataset, row.group, row.case, row.organ, row.fold, row.support, row.setting)


def group_title(dataset: str, group: str) -> str:
    """Name of a group in tables."""
    return f"{dataset}: {group}" if group else dataset
