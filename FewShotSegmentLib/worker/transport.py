"""How a client reaches its worker: a process with pipes, or whatever else does the same."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

_PIECE = 65536


class Transport(Protocol):
    """One worker's process; used for one start. All callbacks come on the thread that uses it."""

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        on_output: Callable[[bytes], None],
        on_log: Callable[[bytes], None],
        on_finished: Callable[[int | None], None],
    ) -> None:
        """Start it.

        Args:
            command: executable and arguments.
            environment: the whole environment; this process's by default.
            on_output: called with what it writes to stdout.
            on_log: called with what it writes to stderr.
            on_finished: called once with its exit code when it has ended, after all output; with None where it could
                not be started and that shows only later.

        Raises:
            OSError: it cannot be started.
        """

    def write(self, data: bytes) -> None:
        """Send to its stdin; returns at once."""

    def close_input(self) -> None:
        """Close its stdin, once everything has been sent."""

    def kill(self) -> None:
        """End it by force."""

    def poll(self) -> None:
        """Deliver what has arrived, where nothing else does."""

    @property
    def running(self) -> bool:
        """Whether it runs."""


class SubprocessTransport:
    """A `subprocess` with a thread for each of its streams; `poll` delivers."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._arrived: queue.SimpleQueue[tuple[Callable[[Any], None], Any]] = queue.SimpleQueue()
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        on_output: Callable[[bytes], None],
        on_log: Callable[[bytes], None],
        on_finished: Callable[[int | None], None],
    ) -> None:
        """Start it; see `Transport`."""
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows: no black box
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            creationflags=flags,
        )
        self._process = process
        assert process.stdin and process.stdout and process.stderr
        readers = [
            _thread("worker-output", self._read, process.stdout, on_output),
            _thread("worker-log", self._read, process.stderr, on_log),
        ]
        _thread("worker-input", self._send, process.stdin)
        _thread("worker-end", self._wait, process, readers, on_finished)

    def write(self, data: bytes) -> None:
        """Send to its stdin; see `Transport`."""
        self._to_send.put(data)

    def close_input(self) -> None:
        """Close its stdin; see `Transport`."""
        self._to_send.put(None)

    def kill(self) -> None:
        """End it by force; see `Transport`."""
        if self._process is not None:
            self._process.kill()

    def poll(self) -> None:
        """Deliver what has arrived."""
        while True:
            try:
                deliver, what = self._arrived.get_nowait()
            except queue.Empty:
                return
            deliver(what)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def _read(self, stream: IO[bytes], deliver: Callable[[bytes], None]) -> None:
        with stream:
            while data := stream.read1(_PIECE):  # type: ignore[attr-defined] # pipes are buffered readers
                self._arrived.put((deliver, data))

    def _send(self, stream: IO[bytes]) -> None:
        """In a thread, since a worker that does not read would stop its client."""
        try:
            with stream:
                while (data := self._to_send.get()) is not None:
                    stream.write(data)
                    stream.flush()
        except OSError:
            pass  # it has ended, which `on_finished` tells

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        readers: Sequence[threading.Thread],
        on_finished: Callable[[int | None], None],
    ) -> None:
        code = process.wait()
        self._to_send.put(None)
        for reader in readers:
            reader.join(1)  # a launcher's child may hold the pipes open for longer
        self._arrived.put((on_finished, code))


def _thread(name: str, work: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    thread.start()
    return thread
