"""What a table of the report is, before it becomes HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is read first.
        below: second line, small.
        hint: shown on hover.
        value: what the column is sorted by, where that is no text.
        best: whether it is the best of its column.
        label: whether it names the row.
    """

    text: str
    below: str = ""
    hint: str = ""
    value: float | None = None
    best: bool = False
    label: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: above it.
        head: of the columns.
        rows: as many cells each as there are heads.
        note: below it.
        folded: whether it is shown only when asked for.
        sortable: whether a click on a head sorts it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    folded: bool = False
    sortable: bool = True


@dataclass(frozen=True)
class Picture:
    """One picture, held in the page itself.

    Attributes:
        title: above it.
        source: "data:…".
        caption: below it.
        alternative: what it shows, in words.
    """

    title: str
    source: str
    caption: str
    alternative: str


@dataclass
class Section:
    """One part of the page.

    Attributes:
        key: for links.
        title: of it.
        text: paragraphs before tables and pictures.
        tables: of it.
        pictures: of it.
    """

    key: str
    title: str
    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.text or self.tables or self.pictures)


def label(text: str, below: str = "") -> Cell:
    """A cell that names its row."""
    return Cell(text, below, label=True)
