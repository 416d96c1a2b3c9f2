"""What a protocol is: which questions are put to which methods, and how answers are scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

from .case import Case, Mask, Scan
from .method import Method
from .row import Row


@dataclass(frozen=True)
class Work:
    """All questions of a protocol about one scan, for one method: what one process does in one go.

    Attributes:
        protocol: its name.
        query: the scan that is segmented.
        support: the scan that is annotated, where it is another.
        fold: of the cross-validation, "" without.
        method: its name.
        seed: of whatever is drawn for this scan; the same at every run.
    """

    protocol: str
    query: Case
    support: Case | None
    fold: str
    method: str
    seed: int = 0

    @property
    def key(self) -> str:
        """Name that is the same at every run and differs from all others': what a resumed run goes by."""
        parts = (self.protocol, self.fold, self.query.dataset, self.query.name, self.support and self.support.name)
        return "__".join(str(part) for part in (*parts, self.method) if part)


@dataclass(frozen=True)
class Measured:
    """A row with the answer's mask, which goes to a file of its own."""

    row: Row
    mask: Mask | None = None


class Protocol(Interface):
    """One way to evaluate.

    Attributes:
        name: as on the command line.
        title: in reports.
        task: "within" or "across".
        explanation: two or three sentences for the report: what is given, what is scored.
    """

    name: str
    title: str
    task: str
    explanation: str

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """What is to be done; what cannot be done goes to `left_out`, a sentence each."""

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """Put the questions of a piece of work to a method, and score the answers."""
