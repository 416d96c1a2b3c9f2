"""What each part of the engine is worth: the one-slice accuracy with one part changed at a time.

    .venv/bin/python Testing/Bench/ablation.py --shared FOLDER [--only NAME,NAME]

The figures of Docs/experiments.md that are marked “ablation” come from here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import accuracy
import engine as bench_engine
from cases import SOURCES, evaluated_cases
from methods import ONE, Method
from rich.console import Console
from rich.table import Table

from FewShotSegmentLib.evaluation import methods as catalogue
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.methods.engine import EngineMethod

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "registration alone": {"network_share": 0.0, "refiner": None},
    "propagator alone": {"network_share": 1.0, "refiner": None},
    "refiner alone": {"network_share": 0.0, "moved_share": 0.0},
    "without the propagator": {"network_share": 0.0},
    "without the refiner": {"network_share": 0.5, "refiner": None},
    "without the moved mask": {"moved_share": 0.0},
    "doubt does not stop a run": {"stop_presence": 0.0, "stop_confidence": 0.0},
    "areas not bounded towards ends": {"taper_below": 0.0},
    "bounded alike however sure of its presence": {"taper_absence": 0.0},
    "whole slices": {"window_margin": 1000.0},
    "margin of 2.5": {"window_margin": 2.5},
    "least window of 32": {"window_least": 32},
}
"""{name: settings that differ}; "refiner" None leaves it out."""


def make_variant(recipe: Recipe) -> EngineMethod:
    """The engine with the settings changed that its name says."""
    engine = bench_engine.load()
    settings = dict(VARIANTS[recipe.name])
    if "refiner" in settings:
        engine.refiner = settings.pop("refiner")
    engine.settings = replace(engine.settings, **settings)
    return EngineMethod(recipe, engine)


def measure(shared: Path, chosen: list[str], limit: int | None) -> list[accuracy.Record]:
    """Records of these variants, by their names."""
    for name in chosen:
        catalogue.register(name, make_variant)
    recipes = {recipe.name: recipe for recipe in catalogue.recipes(chosen, "within")}
    methods = [Method(name, name, name, ONE) for name in chosen]
    with TemporaryDirectory() as folder:
        rows = accuracy.measure(evaluated_cases(shared, limit), methods, recipes, Path(folder), [])
    return accuracy.make_records(rows, methods, ())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared), help="folder with data/dev (%(default)s)")
    parser.add_argument("--cases-per-source", type=int, default=3)
    parser.add_argument("--only", help=f"some of: {', '.join(VARIANTS)}; all by default")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    options = parser.parse_args(argv)
    chosen = options.only.split(",") if options.only else list(VARIANTS)
    unknown = [name for name in chosen if name not in VARIANTS]
    if unknown:
        parser.error(f"there is no variant {', '.join(unknown)}")
    start = time.perf_counter()
    records = measure(options.shared, chosen, options.cases_per_source)
    table = Table(title="One annotated slice: Dice, whole volume / own slices, mean over sources")
    for heading in ("variant", *(title for title, _, _ in SOURCES), "mean", "s a structure"):
        table.add_column(heading)
    for name in chosen:
        means = accuracy.source_means(records, "one", name)
        overall = accuracy.overall_mean(records, "one", name)
        seconds = sum(record.seconds[name] for record in records) / len(records)
        cells = [f"{m.whole:.3f} / {m.extent:.3f}" for m in (*means.values(), overall)]
        table.add_row(name, *cells, f"{seconds:.1f}")
    Console(width=220).print(table)
    print(f"measured in {(time.perf_counter() - start) / 60:.1f} min")
    if options.json:
        options.json.write_text(json.dumps([asdict(record) for record in records], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
