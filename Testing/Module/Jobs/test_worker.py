"""Which process is started, and with what."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import slicer
from FewShotSegmentModule.jobs import worker


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installed Slicer's folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path), raising=False)
    return tmp_path


def test_slicer_s_own_python(home):
    python = home / "bin" / ("PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
    python.touch()
    assert worker.workerCommand() == [str(python), "-m", "FewShotSegmentLib.worker"]


def test_any_python_outside_slicer():
    assert worker.workerCommand()[0] == sys.executable


def test_never_slicer_itself(home, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(home / "SlicerApp-real"))
    assert worker.pythonExecutable() == ""
    python = home / ("PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
    python.touch(0o755)
    monkeypatch.setattr(worker.shutil, "which", lambda name: str(python))
    assert worker.pythonExecutable() == str(python)


def test_the_engine_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    environment = worker.workerEnvironment()
    assert environment["PYTHONPATH"].split(os.pathsep)[1:] == ["elsewhere"]
    assert environment["GOMP_SPINCOUNT"]
    code = "import FewShotSegmentLib.worker, sys; print(FewShotSegmentLib.__path__[0], 'torch' in sys.modules)"
    done = subprocess.run(
        [*worker.workerCommand()[:1], "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [os.path.join(worker.engineFolder(), "FewShotSegmentLib"), "False"], done.stderr


class Timer:
    started = 0

    def setInterval(self, milliseconds):
        assert milliseconds == worker.TICK_MILLISECONDS

    def connect(self, signal, slot):
        self.slot = slot

    def start(self):
        self.started += 1

    def stop(self):
        self.started = 0


def test_ticks_only_while_there_is_something_to_do():
    class Client:
        busy, ticks = True, 0

        def tick(self):
            self.ticks += 1

    timer, client = Timer(), Client()
    ticker = worker.Ticker(client, timer)
    assert not timer.started
    ticker.start()
    timer.slot()
    assert timer.started and client.ticks == 1
    client.busy = False
    timer.slot()
    assert not timer.started and client.ticks == 2
