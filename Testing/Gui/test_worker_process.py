"""The worker's process by Qt: its output comes through the event loop, and nothing of it is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ECHO = """
import sys
sys.stderr.write("ready\\n")
sys.stderr.flush()
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line.upper())
    sys.stdout.buffer.flush()
sys.exit(3)
"""


class Heard:
    """Collects what a transport delivers."""

    def __init__(self):
        self.output, self.log, self.ends = b"", b"", []

    def start(self, transport, *command, environment=None):
        transport.start(command, environment, self._on_output, self._on_log, self.ends.append)

    def _on_output(self, data):
        assert isinstance(data, bytes)
        self.output += data

    def _on_log(self, data):
        self.log += data


@pytest.fixture
def transport(scene):
    folder = str(Path(__file__).resolve().parents[2] / "FewShotSegment")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from FewShotSegmentModule.jobs.qprocess import QProcessTransport

    made = QProcessTransport()
    yield made
    made.kill()


def test_bytes_come_and_go(transport, wait_until):
    heard = Heard()
    heard.start(transport, sys.executable, "-c", ECHO, environment={**os.environ, "PYTHONUTF8": "1"})
    transport.write(b"early\n")  # the process is only starting
    wait_until(lambda: heard.output == b"EARLY\n")
    line = b"x" * 300_000 + b"\n"
    transport.write(line)
    wait_until(lambda: heard.output == b"EARLY\n" + line.upper())
    assert transport.running and heard.log == b"ready\n"
    transport.close_input()
    wait_until(lambda: heard.ends)
    assert heard.ends == [3] and not transport.running
    transport.write(b"too late\n")
    transport.close_input()
    transport.kill()


def test_environment(transport, wait_until):
    heard = Heard()
    code = "import os; print(os.environ.get('FSS'), 'HOME' in os.environ, end='')"
    heard.start(transport, sys.executable, "-c", code, environment={"FSS": "set"})
    wait_until(lambda: heard.ends)
    assert heard.output == b"set False"


def test_killed(transport, wait_until):
    heard = Heard()
    heard.start(transport, sys.executable, "-c", ECHO)
    wait_until(lambda: heard.log)
    transport.kill()
    wait_until(lambda: heard.ends)
    assert heard.ends == [-9 if os.name == "posix" else heard.ends[0]] != [0]


def test_not_there(transport, wait_until):
    heard = Heard()
    heard.start(transport, os.path.join(os.sep, "no", "such", "python"), "-c", "")
    wait_until(lambda: heard.ends)
    assert heard.ends == [None] and not transport.running


def test_a_script_waits_without_event_loop(transport):
    heard = Heard()
    heard.start(transport, sys.executable, "-c", ECHO)
    transport.write(b"a\n")
    for _ in range(20000):
        transport.poll()
        if heard.output:
            break
    assert heard.output == b"A\n"


def test_the_real_worker(transport, wait_until, watchdog):
    """Started by a request, answers through the event loop, ends with the logic."""
    from FewShotSegmentModule.logic import FewShotSegmentLogic

    from FewShotSegmentLib.worker.messages import Weights

    logic = FewShotSegmentLogic()
    job = logic.startRequest(Weights())
    wait_until(lambda: job.settled, 60)
    assert job.state == "done" and job.result["weights"][0]["bundled"]
    assert logic.weightsList()  # the same worker, waited for without event loop
    pid = logic.client.worker_info.pid
    logic.close()
    wait_until(lambda: not _runs(pid))


def _runs(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
