"""`fewshotsegment pretrain`: arguments in, weights and a report out."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import Cancelled
from ..training.pretrain import PretrainJob
from ..training.settings import PRESETS, TrainSettings, preset
from .terminal import progress_bar, say, tell


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "pretrain",
        help="train a network on images without labels",
        description="Train a network on images without labels and on random anatomies. Ctrl-C or --max-seconds stops "
        "it; the same command goes on from there, on any machine, as if it had not been stopped.",
        allow_abbrev=False,
    )
    parser.add_argument("volumes", metavar="VOLUME", type=Path, nargs="*", help="images, or folders with images")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="for all that is written")
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="fast",
        help="fast: ours, for the propagator; refiner: ours, for the refiner; published: SSL-ALPNet's and DSPNet's",
    )
    parser.add_argument(
        "--network", metavar="NAME", help="propagator, refiner (with its preset), dspnet-published, alpnet, dspnet, …"
    )
    parser.add_argument("--encoder", metavar="NAME", help="of a few-shot network: resnet101, …, propagator")
    parser.add_argument("--data", choices=("synthetic", "volumes", "both"), help="what it is trained on")
    # not --start, which torchrun would take for its own --start-method
    parser.add_argument("--weights", metavar="bundled|random|FOLDER|NAME", help="what to start from")
    parser.add_argument("--name", default="weights", help="of the weights that are written")
    for option, kind, text in (
        ("--iterations", int, "steps of the optimiser"),
        ("--parts", int, "pieces of a batch, shared out among processes"),
        ("--per-part", int, "sequences or episodes in a part"),
        ("--size", int, "pixels of a slice's longer side"),
        ("--learning-rate", float, "at its highest"),
        ("--seed", int, "of everything that is drawn"),
    ):
        parser.add_argument(option, type=kind, metavar="N", help=text)
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="any other setting of the training"
    )
    parser.add_argument("--max-seconds", type=float, default=math.inf, metavar="S", help="stop after this time")
    parser.add_argument("--checkpoint-every", type=int, default=250, metavar="N", help="steps between checkpoints")
    parser.add_argument("--validate-every", type=int, default=1000, metavar="N", help="steps between validations")
    parser.add_argument("--validate", type=Path, metavar="FOLDER", help="labelled volumes to validate on")
    parser.add_argument("--modality", choices=("auto", "ct", "mr"), default="auto", help="of the images")
    parser.add_argument("--data-licence", default="", metavar="TEXT", help="of the images, for the weights' card")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that read images")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    parser.add_argument("--restart", action="store_true", help="forget what was trained in the folder before")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def settings_of(options: argparse.Namespace) -> TrainSettings:
    """The preset with what the options change.

    Raises:
        InputError: an option is out of range.
    """
    names = ("network", "encoder", "data", "iterations", "parts", "per_part", "size", "learning_rate", "seed")
    changes = {name: getattr(options, name) for name in names}
    return preset(options.preset).changed(**changes).with_words(options.set)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    job = PretrainJob(
        volumes=options.volumes,
        folder=options.output,
        settings=settings_of(options),
        name=options.name,
        weights=options.weights,
        device=options.device,
        max_seconds=options.max_seconds,
        validate=options.validate,
        modality=options.modality,
        validate_every=options.validate_every,
        checkpoint_every=options.checkpoint_every,
        jobs=options.jobs,
        restart=options.restart,
        data_licence=options.data_licence,
        command=f"fewshotsegment {' '.join(sys.argv[1:])}",
    )
    # of several processes that train together one speaks
    speaks = os.environ.get("RANK", "0") == "0"
    quiet = options.quiet or not speaks
    shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
    with progress_bar("Reading", "image", shown) as reading, progress_bar("Training", "step", shown) as progress:
        said: list[str] = []

        def tell_note(note: str) -> None:
            said.append(note)
            if not quiet:
                say(f"Note: {note}")

        report = job.run(progress, reading=reading, tell=tell_note)
    for note in report["notes"]:
        if note not in said:
            tell_note(note)
    if options.json and speaks:
        tell(json.dumps(report))
    elif not quiet:
        tell(_words(report))
    if report["ended"] == "cancelled":
        raise Cancelled(f"Stopped after step {report['step']}; the same command goes on from there.")


def _words(report: dict[str, Any]) -> str:
    ended = {
        "done": "Trained to the end",
        "cancelled": "Stopped before the end",
        "time": "Stopped as the time was over; the same command goes on from here",
        "diverged": "Stopped, since the loss is no number any more",
    }[report["ended"]]
    speed = ""
    if report["slices_per_second"]:
        speed = (
            f" {report['slices_per_second']:g} slices a second on {report['device']}, "
            f"{report['waiting_share']:.1%} of the time waiting for data."
        )
    return f"{ended}: {report['step']} steps in all.{speed}\nWeights: {report['weights']}"
