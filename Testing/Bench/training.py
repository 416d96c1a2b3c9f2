"""What training costs and what it gives: speed of the presets, and both recipes at equal time.

    .venv/bin/python Testing/Bench/training.py --shared FOLDER

FOLDER holds data/pretrain (images without labels) and data/dev (labelled volumes). First each preset is trained for a
short time; then the published DSPNet recipe and ours for the same longer time, from random weights and from the bundled
ones, and all are scored alike on data/dev. The exit code is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from accuracy import overall_mean, source_means
from checks import Check
from progress import timed
from rich.console import Console
from table import print_checks
from training_run import ROOT, Plan, Trained, train
from training_score import few_shot_network, score, untrained
from training_table import draw_losses, print_differences, print_scores, print_speed, speed_checks
from transfer_accuracy import TransferRecord

PRESETS = ("fast", "published")
# (key, title, preset, start, encoder); ours and the published recipe by turns.
COMPARED = (
    ("random-fast", "ours (fast), random start", "fast", "random", None),
    ("random-published", "published, random start", "published", "random", None),
    ("bundled-fast", "ours (fast), bundled start", "fast", "bundled", None),
    ("bundled-published", "published, bundled encoder", "published", "bundled", "propagator"),
)
UNTRAINED = {
    "random-fast": "our head, random encoder, no training",
    "bundled-fast": "our head, bundled encoder, no training",
    "bundled-published": "published head, bundled encoder, no training",
}
COMPARED_BY_START = (
    ("random start", "random-fast", "random-published"),
    ("bundled start", "bundled-fast", "bundled-published"),
)
WIDTH = 150


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared), help="folder with data/pretrain and data/dev")
    parser.add_argument("--seconds", type=float, default=60, help="of training for the speed of a preset (%(default)s)")
    parser.add_argument("--compare-seconds", type=float, default=180, help="of each training compared (%(default)s)")
    parser.add_argument("--no-compare", action="store_true", help="speed only")
    parser.add_argument("--volumes", type=int, default=24, help="images of data/pretrain, evenly spread (%(default)s)")
    parser.add_argument("--pairs-per-source", type=int, default=1, help="of data/dev to score on (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    parser.add_argument("--size", type=int, help="of slices instead of the presets' own: a quick look only")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "bench-training", help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    found = parser.parse_args(argv)
    if min(found.seconds, found.compare_seconds) <= 0 or min(found.volumes, found.pairs_per_source) < 1:
        parser.error("seconds must be above 0, and volumes and pairs at least 1")
    return found


def spread(folder: Path, number: int) -> tuple[str, ...]:
    """At most so many images of a folder, evenly spread over their names; none if there is no such folder."""
    images = sorted(folder.glob("*_image.nii.gz")) if folder.is_dir() else []
    number = min(number, len(images))
    return tuple(str(images[(2 * i + 1) * len(images) // (2 * number)].resolve()) for i in range(number))


def speed_plans(options: argparse.Namespace, volumes: tuple[str, ...]) -> list[Plan]:
    """A short training of each preset from random weights, as the command has it."""
    return [
        Plan(
            f"speed-{name}",
            f"preset {name}",
            name,
            "random",
            None,
            options.seconds,
            volumes,
            options.device,
            options.size,
        )
        for name in PRESETS
    ]


def compared_plans(options: argparse.Namespace, volumes: tuple[str, ...]) -> list[Plan]:
    """Both recipes, twice, for the same time."""
    return [
        Plan(*given, options.compare_seconds, volumes, options.device, options.size) for given in COMPARED
    ]  # fmt: skip


def compare(
    options: argparse.Namespace, trained: list[Trained], console: Console, left_out: list[str]
) -> tuple[list[TransferRecord], dict[str, str]]:
    """Score what was trained, and what it started from; (records, titles of the rows)."""
    networks = {f"start-{key}": network for key, network in untrained().items()}
    titles = {f"start-{key}": title for key, title in UNTRAINED.items()}
    for one in trained:
        networks[one.plan.key] = few_shot_network(options.output, one.plan)
        titles[one.plan.key] = f"{one.plan.title}, {one.plan.seconds:.0f} s"
    with timed("scoring") as tell:
        records = score(networks, titles, options.shared, options.pairs_per_source, options.device, left_out, tell)
    return records, titles


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    sys.path.insert(0, str(ROOT))
    console = Console(width=max(WIDTH, Console().width), highlight=False)
    start = time.perf_counter()
    volumes = spread(options.shared / "data" / "pretrain", options.volumes)
    if not volumes:
        console.print(f"{options.shared} has no data/pretrain: all is trained on synthetic anatomies alone.")
    options.output.mkdir(parents=True, exist_ok=True)
    with timed("training") as tell:
        trained = [train(options.output, plan, tell) for plan in speed_plans(options, volumes)]
    print_speed(console, trained)
    found: list[Check] = speed_checks(trained)
    written: dict = {"speed": [figures(one) for one in trained], "volumes": [Path(name).name for name in volumes]}
    if not options.no_compare:
        with timed("training") as tell:
            compared = [train(options.output, plan, tell) for plan in compared_plans(options, volumes)]
        print_speed(console, compared)
        written["compared"] = [figures(one) for one in compared]
        trained += compared
        if (options.shared / "data" / "dev" / "cases.json").is_file():
            left_out: list[str] = []
            records, titles = compare(options, compared, console, left_out)
            print_scores(console, records, titles, compared)
            print_differences(console, records, COMPARED_BY_START)
            for text in left_out:
                console.print(f"left out: {text}", markup=False, soft_wrap=True)
            written["scores"] = {
                key: {
                    "title": title,
                    "mean": overall_mean(records, "one", key)._asdict(),
                    "sources": {name: value._asdict() for name, value in source_means(records, "one", key).items()},
                }
                for key, title in titles.items()
            }
        else:
            console.print(f"{options.shared} has no data/dev/cases.json: the comparison is NOT SCORED.")
    draw_losses(trained, options.output / "losses.png")
    console.print(f"loss curves: {options.output / 'losses.png'}", soft_wrap=True)
    print_checks(console, found)
    seconds = time.perf_counter() - start
    console.print(f"\nmeasured in {seconds / 60:.1f} min", style="dim")
    if options.json:
        written |= {"seconds": seconds, "checks": [{"verdict": check.verdict, "text": check.text} for check in found]}
        options.json.write_text(json.dumps(written, indent=1), encoding="utf-8")
    return 1 if any(check.passed is False for check in found) else 0


def figures(one: Trained) -> dict:
    """For the JSON, without the curve of every step."""
    values = asdict(one)
    del values["loss"], values["ended"]
    return values | {
        "iterations_per_second": one.iterations_per_second,
        "slices_per_second": one.slices_per_second,
        "first_loss": one.loss[0] if one.loss else None,
        "last_loss": one.loss[-1] if one.loss else None,
    }


if __name__ == "__main__":
    sys.exit(main())
