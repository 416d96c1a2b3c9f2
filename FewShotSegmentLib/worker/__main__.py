"""`python -m FewShotSegmentLib.worker`: the engine as a resident process; see the package's text."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from .serve import Server
from .streams import take_streams


def main() -> NoReturn:
    """Serve the client at stdin and stdout until it goes."""
    parser = argparse.ArgumentParser(prog="python -m FewShotSegmentLib.worker", description=__doc__)
    parser.add_argument("--folder", metavar="PRIVATE", type=Path, help="folder for answers' files")
    options = parser.parse_args()
    # Threads that spin while they wait for each other take the processor from Slicer; see `cli.main`.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the client's affair, who tells us
    streams = take_streams()
    if sys.stderr is not None:
        faulthandler.enable(sys.stderr)  # a library that crashes leaves a trace for the diagnostics
    if options.folder is not None and not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}")
    Server(streams, options.folder).run()


if __name__ == "__main__":
    main()
