"""What reaches the terminal: our own words, and no failure because nobody listens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..progress import Progress


@contextmanager
def own_words_only() -> Iterator[Callable[[str], None]]:
    """Keep the C++ libraries' own messages off stderr; yields a function that says a line there.

    Reading a damaged file, ITK, NIfTI and HDF5 print lines to file descriptor 2 that name source files; what their user
    can mend is said by us. Python's stderr goes on to where it went, tracebacks included.
    """
    stream = sys.stderr
    try:
        saved = os.dup(2)
    except OSError:  # there is no stderr (a windowed program)
        yield say
        return
    try:
        is_descriptor_2 = stream is not None and stream.fileno() == 2
    except (OSError, ValueError):
        is_descriptor_2 = False  # redirected within Python, as tests do
    if is_descriptor_2:
        # a segment's name may be of any alphabet: a terminal that cannot show it must not end the run
        sys.stderr = os.fdopen(os.dup(saved), "w", encoding=stream.encoding, errors="replace", buffering=1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    try:
        yield say
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        if is_descriptor_2:
            ours, sys.stderr = sys.stderr, stream
            ours.close()


def say(line: str) -> None:
    """A line on stderr, if there is one."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(line, file=sys.stderr)


def tell(lines: str) -> None:
    """Lines on stdout. The work is done by then: a reader that has gone (`| head`) or a Ctrl-C do not undo it."""
    if sys.stdout is None:
        return
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        print(lines, flush=True)
    except KeyboardInterrupt:
        return
    except OSError:
        # what could not be said must not be tried again at the interpreter's end
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say("fewshotsegment: What was asked for is done, but it could not all be printed.")


@contextmanager
def progress_bar(doing: str, unit: str, shown: bool) -> Iterator[Progress | None]:
    """A bar with the time left, on a terminal.

    Args:
        doing: what is going on, in a word.
        unit: what is counted.
        shown: False for none.
    """
    if not shown:
        yield None
        return
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(unit=unit, desc=doing, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
