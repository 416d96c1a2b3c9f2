"""`summary.json`: everything that the report's tables say, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..row import METRICS, Row
from ..statistics import Parts, Summary, auc
from .comparisons import Comparisons
from .costs import GOOD, confidence_pairs
from .folds import by_fold
from .material import Material
from .means import by_line, describe_metric, describe_values, mean
from .rounds import TARGETS, last_round, needed_summary, readings

FORMAT = 1
"""Changes when a field changes its meaning."""


def to_json(material: Material, comparisons: Comparisons, header: Mapping[str, Any]) -> str:
    """All figures as JSON; undefined ones are null, and so are infinite ones, which `n_infinite` counts.

    Args:
        material: the rows.
        comparisons: of its methods.
        header: title, protocol and what was left out.
    """
    whole = {
        "format": FORMAT,
        **header,
        "counts": counts(material),
        "methods": [{"name": name, "title": material.title(name)} for name in material.methods],
        "means": list(_means(material)),
        "folds": [_fold(line, parts) for line, parts in by_fold(material).items()],
        "tests": _tests(comparisons),
        "rounds": _rounds(material),
        "cost": list(_costs(material)),
        "confidence": [
            {"method": name, "slices": len(pairs), "good_from": GOOD, "auc": auc(pairs, GOOD)}
            for name, pairs in confidence_pairs(material).items()
        ],
    }
    return json.dumps(_finite(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def counts(material: Material) -> dict[str, int]:
    """How many of everything there are."""
    rows = material.rows
    return {
        "rows": len(rows),
        "failed": sum(row.failed for row in rows),
        "datasets": len({row.dataset for row in rows}),
        "groups": len(material.groups),
        "cases": len({(row.dataset, row.case) for row in rows}),
        "patients": len({(row.dataset, row.patient) for row in rows}),
        "organs": len(material.organs),
        "methods": len(material.methods),
        "settings": len(material.settings),
        "folds": len({row.fold for row in rows if row.fold}),
    }


def _finite(value: Any) -> Any:
    """The same without what JSON has no words for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _means(material: Material) -> Iterable[dict[str, Any]]:
    """Means over everything, each group, each organ, and each organ of each group."""
    rows = material.answers
    yield from _lines(material, rows, "all", None, None, None)
    for dataset, group in material.groups:
        own = [row for row in rows if (row.dataset, row.group) == (dataset, group)]
        yield from _lines(material, own, "group", dataset, group, None)
    for organ in material.organs:
        yield from _lines(material, [row for row in rows if row.organ == organ], "organ", None, None, organ)
    for dataset, group in material.groups:
        for organ in material.organs:
            own = [row for row in rows if (row.dataset, row.group, row.organ) == (dataset, group, organ)]
            yield from _lines(material, own, "group and organ", dataset, group, organ)


def _lines(
    material: Material, rows: Sequence[Row], over: str, dataset: str | None, group: str | None, organ: str | None
) -> Iterable[dict[str, Any]]:
    for (setting, method), own in by_line(material, rows).items():
        line: dict[str, Any] = {"over": over, "dataset": dataset, "group": group, "organ": organ}
        line |= {"method": method, "setting": setting, "n": len(own)}
        if over == "all":
            organs = [describe_metric([row for row in own if row.organ == name]).mean for name in material.organs]
            groups = [
                describe_metric([row for row in own if (row.dataset, row.group) == key]).mean for key in material.groups
            ]
            line |= {"dice_mean_of_organs": mean(organs), "dice_mean_of_groups": mean(groups)}
        yield line | {"metrics": {metric: _summary(describe_metric(own, metric)) for metric in METRICS}}


def _summary(summary: Summary) -> dict[str, Any]:
    return asdict(summary)


def _fold(line: tuple[str, str], parts: Parts) -> dict[str, Any]:
    return {
        "method": line[1],
        "setting": line[0],
        "folds": {name: _summary(own) for name, own in parts.parts.items()},
        "mean_of_folds": _summary(parts.means),
        "pooled": _summary(parts.pooled),
    }


def _tests(comparisons: Comparisons) -> dict[str, Any]:
    return {
        "metric": "dice",
        "beside_the_leading_method": [
            {
                "setting": item.setting,
                "scope": item.scope,
                "method": item.lead,
                "other": item.other,
                **asdict(item.pair),
                "t_p_holm": item.t_holm,
                "wilcoxon_p_holm": item.wilcoxon_holm,
            }
            for item in comparisons.beside
        ],
        "together": [{"setting": item.setting, **asdict(item.many)} for item in comparisons.together],
    }


def _rounds(material: Material) -> list[dict[str, Any]]:
    lines = readings(material)
    last = last_round(lines.values())
    return [
        {
            "method": method,
            "setting": setting,
            "dice": {str(n): _summary(describe_values(r.at(n) for r in own)) for n in range(1, last + 1)},
            "needed": {f"{target:.2f}": needed_summary(own, target) for target in TARGETS},
        }
        for (setting, method), own in lines.items()
    ]


def _costs(material: Material) -> Iterable[dict[str, Any]]:
    for (setting, method), own in by_line(material, material.rows).items():
        yield {
            "method": method,
            "setting": setting,
            "seconds": _summary(describe_values(row.seconds for row in own)),
            "seconds_per_slice": _summary(describe_values(row.seconds / row.slices for row in own if row.slices)),
            "peak_mb": max(row.peak_mb for row in own),
            "parameters": max(row.parameters for row in own),
        }
