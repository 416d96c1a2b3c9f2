"""Fine-tuning in the background: the class that Slicer's module calls; pure Python, no Qt."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple

from ..errors import Cancelled, InputError
from .request import FinetuneRequest
from .result import FinetuneResult
from .store import WeightsStore

IDLE, RUNNING, DONE, CANCELLED, FAILED = "idle", "running", "done", "cancelled", "failed"


class TrainingProgress(NamedTuple):
    """How far a fine-tuning is.

    Attributes:
        done: units done.
        total: units in all; an estimate until the number of steps is known.
        phase: what is going on, in words.
        seconds_left: estimate, or None while nothing can be said.
    """

    done: int
    total: int
    phase: str
    seconds_left: float | None


class TrainingLogic:
    """Starts a fine-tuning in a thread, says how far it is, stops it, and keeps or drops what came out.

    Nothing is written before `keep`; `roll_back` drops a result, and removes what `keep` has written of it. Methods
    return at once (but `wait`), may be called from any thread, and one fine-tuning runs at a time.

        logic = TrainingLogic()
        logic.start(FinetuneRequest([AnnotatedArrays(volume, {"liver": {40: mask, 52: mask2}}, spacing=(5, 0.8, 0.8))]))
        logic.progress()  # from a timer
        if logic.state == "done" and logic.result().better:
            folder = logic.keep("my-liver")  # Engine.load(weights_folder=folder)
    """

    def __init__(self, store: WeightsStore | None = None):
        """Make one.

        Args:
            store: where `keep` writes; the user's own by default.
        """
        self.store = store or WeightsStore()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._state = IDLE
        self._result: FinetuneResult | None = None
        self._error: BaseException | None = None
        self._progress = TrainingProgress(0, 1, "", None)
        self._marks: tuple[float, int] = (0.0, 0)
        self._kept: list[tuple[str, Path | None]] = []

    @property
    def state(self) -> str:
        """One of "idle", "running", "done", "cancelled", "failed"."""
        return self._state

    def start(self, request: FinetuneRequest) -> None:
        """Begin; a result that was not kept is dropped.

        Raises:
            InputError: one is running already.
        """
        with self._lock:
            if self._state == RUNNING:
                raise InputError("A fine-tuning is running already; wait for its end or cancel it.")
            self._stop = threading.Event()
            for _, replaced in self._kept:
                if replaced is not None:
                    self.store.discard(replaced)
            self._kept = []
            self._result = self._error = None
            self._progress = TrainingProgress(0, 1, "reading", None)
            self._marks = (time.monotonic(), 0)
            self._state = RUNNING
            # a daemon: a program that ends must not wait for minutes
            self._thread = threading.Thread(
                target=self._work, args=(request, self._stop), name="fine-tuning", daemon=True
            )
            self._thread.start()

    def progress(self) -> TrainingProgress:
        """How far it is."""
        return self._progress

    def cancel(self) -> None:
        """Ask to stop; it does within one step of training, and then the state is "cancelled"."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; False if it has not come after so many seconds."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._state != RUNNING

    def result(self) -> FinetuneResult:
        """What came out.

        Raises:
            FewShotError: what went wrong, or `Cancelled`; what is a mistake of ours is raised as it was.
            InputError: nothing was started, or it is not done yet.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._result is None:
                raise InputError(
                    "Fine-tuning is not done yet; wait for its end."
                    if self._state == RUNNING
                    else "No fine-tuning has been started."
                )
            return self._result

    def keep(self, name: str, *, force: bool = False) -> Path:
        """Write the adapted weights to the store.

        Args:
            name: of the weights.
            force: whether adapted weights of that name may be replaced.

        Returns:
            The folder for `Engine.load(weights_folder=…)`.

        Raises:
            InputError: there is no result, or it is no better than what was there.
            OutputError: weights of that name are there already, or it cannot be written.
        """
        result = self.result()
        replaced = self.store.put_aside(name) if force else None
        try:
            folder = self.store.save(name, result, force=force, command="TrainingLogic")
        except BaseException:
            if replaced is not None:
                self.store.discard(replaced)
            raise
        self._kept.append((name, replaced))
        return folder

    def roll_back(self) -> None:
        """Drop the result, and remove what was kept of it; the weights that were there before are in use again.

        Raises:
            InputError: one is running; cancel it.
        """
        with self._lock:
            if self._state == RUNNING:
                raise InputError("A fine-tuning is running; cancel it.")
            kept, self._kept = self._kept, []
            self._result = self._error = None
            self._state = IDLE
        for name, replaced in reversed(kept):
            self.store.bring_back(name, replaced)

    def _work(self, request: FinetuneRequest, stop: threading.Event) -> None:
        result: FinetuneResult | None = None
        error: BaseException | None = None
        try:
            result = request.run(self._report, stop.is_set)
        except BaseException as caught:  # raised again by `result`
            error = caught
        with self._lock:
            self._result, self._error = result, error
            self._state = DONE if error is None else CANCELLED if isinstance(error, Cancelled) else FAILED

    def _report(self, done: int, total: int, phase: str) -> None:
        start, before = self._marks
        if total != self._progress.total and done > before:
            # a new plan: what was before it says little about the rate
            self._marks = start, before = time.monotonic(), done
        passed = time.monotonic() - start
        left = passed / (done - before) * (total - done) if done > before else None
        self._progress = TrainingProgress(done, total, phase, left)
