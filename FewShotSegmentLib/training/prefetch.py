"""Material made ahead of need, in order, in the background; and how long the network had to wait for it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_AHEAD = 4
"""Parts made ahead: more than a step uses, so that one slow part does not stop training."""


class Prefetcher:
    """Runs `make(key)` for keys in order, in one thread ahead of whoever takes the results.

    One thread, so that a source needs no locks and an accelerator's stream sees its work in one order; it works on
    images and labels, where torch and numpy let other threads run. It leaves the number of torch's threads alone:
    setting it in one thread would decide for all threads that begin later, the caller's included.

    Attributes:
        waited: seconds that `take` had to wait, in all.
    """

    def __init__(self, make: Callable[[Any], Any], keys: Iterator[Any], ahead: int = _AHEAD):
        self.waited = 0.0
        self._make = make
        self._keys = keys
        self._ready: queue.Queue[tuple[Any, Any, BaseException | None]] = queue.Queue(max(1, ahead))
        self._over = threading.Event()
        self._worker = threading.Thread(target=self._work, name="training data", daemon=True)
        self._worker.start()

    def take(self, key: Any) -> Any:
        """The result for the next key, which must be `key`; raises what `make` raised."""
        start = time.perf_counter()
        found, result, error = self._ready.get()
        self.waited += time.perf_counter() - start
        if error is not None:
            raise error
        if found != key:
            raise AssertionError(f"{key} was asked for, but {found} is next")
        return result

    def close(self) -> None:
        """End the thread; what it has made is dropped."""
        self._over.set()
        while self._worker.is_alive():
            try:
                self._ready.get(timeout=0.01)
            except queue.Empty:
                continue
        self._worker.join()

    def _work(self) -> None:
        for key in self._keys:
            try:
                made: tuple[Any, Any, BaseException | None] = (key, self._make(key), None)
            except BaseException as error:  # handed to whoever waits
                made = (key, None, error)
            while not self._over.is_set():
                try:
                    self._ready.put(made, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self._over.is_set() or made[2] is not None:
                return


@contextmanager
def prefetched(make: Callable[[Any], Any], keys: Iterator[Any]) -> Iterator[Prefetcher]:
    """A `Prefetcher` that is closed whatever happens."""
    prefetcher = Prefetcher(make, keys)
    try:
        yield prefetcher
    finally:
        prefetcher.close()
