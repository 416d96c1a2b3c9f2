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

from ..errors import Cancelled, FewShotError
from ..version import __version__
from . import propagate


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="fewshotsegment", description="Annotate one slice of an organ, get the volume.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"fewshotsegment {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    propagate.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    _speak_utf8()
    # Threads that wait for each other by spinning make a busy machine 3 times slower (20 s became 6 s with other
    # programs on both of 2 cores); this is read when torch is imported, which has not happened yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = build_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options.run(options)
    except (KeyboardInterrupt, Cancelled):
        print(f"\nfewshotsegment: {Cancelled()}", file=sys.stderr)
        return 130
    except FewShotError as error:
        print(f"fewshotsegment: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("fewshotsegment: There is not enough memory for this volume; close other programs.", file=sys.stderr)
        return 2
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A request to end (SIGTERM) leaves as little behind as Ctrl-C does."""
    raise KeyboardInterrupt


def _speak_utf8() -> None:
    """Segment names may be of any alphabet; a terminal that cannot show them must not end the run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
