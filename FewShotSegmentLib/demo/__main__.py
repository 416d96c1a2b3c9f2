"""`python -m FewShotSegmentLib.demo`: arguments, the order of inputs, exit codes."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import FewShotError, InputError

_TAKES = "the user's VOLUME and ANNOTATION if given, else the images in the shared folder, else a generated phantom"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        arguments: Of the command line; ``sys.argv`` by default.

    Returns:
        0, or 2 where the input was at fault, or 1 where something else failed.
    """
    options = _parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        # Names may be of any alphabet; a terminal that cannot show them must not end the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _run(options)
    except FewShotError as error:
        print(error, file=sys.stderr)
        code = getattr(error, "code", 2 if isinstance(error, InputError) else 1)
        return int(code)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m FewShotSegmentLib.demo",
        description=f"One annotated slice of each organ becomes a segmented volume. Takes {_TAKES}.",
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder that may hold data/demo")
    parser.add_argument("--volume", default="", help="your own volume")
    parser.add_argument("--annotation", default="", help="your own annotation on it, one slice or a whole reference")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder for all files written")
    parser.add_argument("--organs", default="", metavar="A,B", help="only these organs; all by default")
    parser.add_argument(
        "--phantom-shape", type=int, nargs=3, metavar=("Z", "Y", "X"), default=None, help=argparse.SUPPRESS
    )
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> None:
    try:
        # Here and not above: without the extra there shall be a sentence, not a traceback.
        from rich.console import Console  # noqa: PLC0415
        from rich.markup import escape  # noqa: PLC0415

        from .show import show_case  # noqa: PLC0415
        from .sources import PHANTOM_SHAPE, find_sources  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("matplotlib", "rich", "scipy"):
            raise
        raise FewShotError(
            f"The demo needs the package {error.name}; install the extra with: pip install 'fewshotsegment[demo]'"
        ) from error

    console = Console(soft_wrap=True) if not sys.stdout.isatty() else Console()
    folder: Path = options.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FewShotError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    shape = tuple(options.phantom_shape or PHANTOM_SHAPE)
    names = [name.strip() for name in options.organs.split(",") if name.strip()]
    written: list[Path] = []
    for source in find_sources(options.shared, options.volume, options.annotation, folder, shape):
        written += show_case(source, folder, console, names)
    console.print("Files written:")
    for path in written:
        console.print(f"  {escape(str(path))}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
