"""Which volume is annotated for which other patient's: pairs of cases, support to query.

Like the cases, the pairs and their order are fixed by cases.json: the first patient of a source supports the second,
the second the third, and the last one the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cases import Case

# What the names of a patient's several volumes differ in: series, phase of the heart, run of the same examination.
_ACQUISITION = re.compile(r"_(mr_t1|ct|ed|es|run\d+)$")
# End of systole; the left ventricle is compared at the end of diastole, in support and query alike.
_OTHER_PHASE = "_es"


@dataclass(frozen=True)
class Pair:
    """An annotated volume and one of another patient, both of one source."""

    support: Case
    query: Case

    @property
    def source(self) -> str:
        return self.query.source

    @property
    def title(self) -> str:
        return f"{self.support.name} → {self.query.name}"

    @property
    def names(self) -> list[str]:
        """The structures that both have, in the query's order."""
        return [name for name in self.query.labels.values() if name in self.support.labels.values()]

    @property
    def not_in_both(self) -> list[str]:
        """In words."""
        return [
            f"{self.title} {name}: not in {other.name}"
            for case, other in ((self.support, self.query), (self.query, self.support))
            for name in case.labels.values()
            if name not in other.labels.values()
        ]


def patient(case: str) -> str:
    """Whose volume a case is, from its name; no two volumes of one patient may make a pair."""
    return _ACQUISITION.sub("", case)


def one_for_each_patient(cases: list[Case]) -> list[Case]:
    """The first case of each patient, in the phase that is compared."""
    kept: dict[str, Case] = {}
    for case in cases:
        if not case.name.endswith(_OTHER_PHASE):
            kept.setdefault(patient(case.name), case)
    return list(kept.values())


def make_pairs(grouped: Mapping[str, list[Case]], limit: int | None, left_out: list[str]) -> list[Pair]:
    """At most `limit` pairs of each source; sources and structures that cannot be paired go to `left_out`, in words."""
    pairs = []
    for source, cases in grouped.items():
        chosen = one_for_each_patient(cases)
        if len(chosen) < 2:
            patients = sorted({patient(case.name) for case in cases})
            whose = f"{len(patients)} patient ({patients[0]})" if patients else "no case"
            names = f": {', '.join(case.name for case in cases)}" if cases else ""
            left_out.append(f"{source}: {whose}, so that there is nobody to transfer to{names}")
            continue
        own = [Pair(case, query) for case, query in zip(chosen, [*chosen[1:], chosen[0]], strict=True)][:limit]
        pairs += own
        left_out += [text for pair in own for text in pair.not_in_both]
    return pairs
