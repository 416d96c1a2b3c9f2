"""Where the time goes: seconds of each stage of a call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages(dict[str, float]):
    """{stage: seconds}, in the order in which stages first came up.

    On an accelerator work is handed over and done later, so a stage's time is that of handing over, and the time for
    which the results are waited for counts for "write".
    """

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self[stage] = self.get(stage, 0.0) + time.perf_counter() - start
