"""Entry point: picks the command, and turns whatever happens into an exit code and one plain sentence.

Exit codes: 0 done; 2 something its user can mend, said in one sentence on stderr; 130 stopped by Ctrl-C; 1 a mistake of
ours, with its traceback.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from ..errors import Cancelled, FewShotError
from ..version import __version__
from . import evaluate, finetune, library, pretrain, propagate, superpixels, transfer
from .terminal import own_words_only


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as for any other input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fewshotsegment: {message[0].upper()}{message[1:]} (see {self.prog} --help).\n")


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = _Parser(
        prog="fewshotsegment", description="Annotate one slice of an organ, get the volume.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"fewshotsegment {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    propagate.add_parser(commands)
    transfer.add_parser(commands)
    library.add_parser(commands)
    finetune.add_parser(commands)
    superpixels.add_parser(commands)
    pretrain.add_parser(commands)
    evaluate.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    # Threads that spin for long while they wait for each other take the processor from other programs and from each
    # other: with both of 2 cores busy a run of 7.2 s took 3.8 s with a short spin, and an idle machine lost nothing.
    # GNU's OpenMP reads this when torch is imported, which has not happened yet.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    given = sys.argv[1:] if arguments is None else arguments
    options = build_parser().parse_args(_join_slices(given))
    signal.signal(signal.SIGTERM, _interrupt)
    with own_words_only() as say:
        try:
            options.run(options)
        except KeyboardInterrupt:
            say(f"fewshotsegment: {Cancelled()}")
            return 130
        except Cancelled as stop:
            say(f"fewshotsegment: {stop}")
            return 130
        except FewShotError as error:
            say(f"fewshotsegment: {error}")
            return 2
        except MemoryError:
            say("fewshotsegment: There is not enough memory for this volume; close other programs.")
            return 2
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A request to end (SIGTERM) leaves as little behind as Ctrl-C does."""
    raise KeyboardInterrupt


def _join_slices(arguments: Sequence[str]) -> list[str]:
    """`--slices -1:3` as one word: argparse takes a value that begins with a minus for an option."""
    joined = list(arguments)
    if "--slices" in joined[:-1]:
        at = joined.index("--slices")
        joined[at : at + 2] = [f"--slices={joined[at + 1]}"]
    return joined


if __name__ == "__main__":
    sys.exit(main())
