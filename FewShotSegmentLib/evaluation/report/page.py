"""`report.html`: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import InputError
from ..case import Case
from . import beside, comparisons, costs, curves, distributions, folds, means, overlays, rounds
from .comparisons import Comparisons
from .material import Material
from .numbers import count
from .summary import counts
from .tables import Section
from .template import PAGE, SCRIPT, STYLE

NOUNS = {
    "datasets": ("data set", ""),
    "cases": ("case", ""),
    "patients": ("patient", ""),
    "organs": ("organ", ""),
    "methods": ("method", ""),
    "settings": ("setting", ""),
    "rows": ("answer", ""),
    "failed": ("failed", "failed"),
}


def sections(
    material: Material,
    compared: Comparisons,
    cases: Mapping[str, Case] | None,
    folder: Path,
    left_out: Sequence[str],
    missing: Mapping[str, str],
    notes: Sequence[str],
    quoted: bool,
) -> list[Section]:
    """All parts of the page that have something to show, in order."""
    found = [means.section(material), rounds.section(material)]
    for table in (costs.losses_table(material), costs.extras_table(material)):
        if table is not None:
            found[0].tables.append(table)
    found[0].pictures += curves.by_setting(material)
    found[1].pictures += curves.by_round(material)
    found.append(distributions.section(material))
    found.append(Section("extent", "Along the organ", pictures=curves.along_extent(material)))
    found += [comparisons.section(material, compared), folds.section(material)]
    cost, sure = costs.section(material), costs.confidence_section(material)
    cost.pictures += curves.against_time(material)
    sure.pictures += curves.confidence(material)
    found += [cost, sure, overlays.section(material, cases, folder)]
    if quoted:
        found.append(beside.section(material))
    found.append(costs.remarks(material))
    found.append(Section("missing", "Methods that could not be run", _told(material, missing)))
    found.append(Section("left-out", "Left out", list(left_out)))
    found.append(Section("notes", "Notes", list(notes)))
    return [section for section in found if not section.empty]


def _told(material: Material, missing: Mapping[str, str]) -> list[str]:
    return [f"{material.title(name)}: {why}" for name, why in sorted(missing.items())]


def render(
    material: Material, parts: Sequence[Section], title: str, protocol_title: str, explanation: str, date: str
) -> str:
    """The page's HTML.

    Raises:
        InputError: Jinja is missing.
    """
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError("The report needs the package jinja2: pip install 'fewshotsegment[evaluate]'.") from None
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja

    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    held = counts(material)
    shown = [(held[key], count(held[key], *noun).split(" ", 1)[1]) for key, noun in NOUNS.items()]
    texts = [line for line in explanation.split("\n\n") if line.strip()]
    if not material.rows:
        texts.append("Nothing was measured: there is no row to report on.")
    return page.render(
        title=title,
        protocol_title=f"{protocol_title} · {date}" if date else protocol_title,
        explanation=texts,
        facts=[(value, noun) for value, noun in shown if value],
        sections=parts,
        # Constants of this package, the only text that is not escaped.
        style=Markup(STYLE),
        script=Markup(SCRIPT),
    )
