"""The panel's tests: a Slicer with Qt, but without Slicer's windows. They need a process of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "MRML"):
    if str(folder) not in sys.path:  # pytest's importlib mode puts no test folder there
        sys.path.insert(0, str(folder))


# --- one process, and how it ends ---


class OwnProcess(pytest.Item):
    """Tests of this folder, run by another pytest: PySide6 is patched here, and `slicer` is not that of other tests."""

    def runtest(self):
        files = sorted({str(item.path) for item in self.items})
        done = subprocess.run([sys.executable, "-m", "pytest", *files], check=False)
        assert done.returncode == 0, "tests of Testing/Gui have failed, see above"

    def repr_failure(self, excinfo):
        return str(excinfo.value)

    def reportinfo(self):
        return HERE, None, "Testing/Gui in a process of its own"


def pytest_collection_modifyitems(session, items):
    here = [item for item in items if HERE in item.path.parents]
    if here and len(here) < len(items):
        items[:] = [item for item in items if item not in here]
        items.append(OwnProcess.from_parent(session, name="Testing/Gui"))
        items[-1].items = here


_status = None


def pytest_sessionfinish(session, exitstatus):
    global _status  # noqa: PLW0603
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """VTK, ITK and Qt take each other's threads and windows down in an order that may crash: leave without them."""
    if "qt" in sys.modules and _status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)


# --- fixtures ---


@pytest.fixture(scope="session")
def application():
    """The module application, started. Skips only where there is no slicer-core; a broken one is an error."""
    if importlib.util.find_spec("slicer") is None:
        pytest.skip("slicer-core is not installed (it has no wheels for Linux on Arm and for Intel macOS)")
    import application

    application.start()
    return application


@pytest.fixture
def problems(application):
    """Announce with it what the test provokes: ``problems.expect_error("text")``. See problems.py."""
    from problems import Problems
    from standins.dialogs import dialogs

    with Problems(dialogs) as collected:
        yield collected


@pytest.fixture
def dialogs(problems):
    """Answers for dialogs, and what was shown: ``dialogs.answer(True)``, ``dialogs.shown``."""
    return problems.dialogs


@pytest.fixture
def homes(monkeypatch, tmp_path):
    """A library and weights of the test's own: those of who runs the tests are neither changed nor pictured."""
    monkeypatch.setenv("FEWSHOTSEGMENT_LIBRARY", str(tmp_path / "own" / "library.fsslib"))
    monkeypatch.setenv("FEWSHOTSEGMENT_WEIGHTS", str(tmp_path / "own" / "weights"))


@pytest.fixture
def scene(application, problems, homes):
    """Slicer's scene, empty before and after; at the end the test fails for whatever went wrong unnoticed."""
    import slicer

    slicer.mrmlScene.Clear(False)
    application.handle_events()
    yield slicer.mrmlScene
    application.handle_events()
    slicer.mrmlScene.Clear(False)
    application.handle_events()
    found = problems.all()
    assert not found, "\n".join(found)


@pytest.fixture
def load(application, scene):
    """Load a scripted module and open it; it is unloaded after the test. Without a path: FewShotSegment."""
    loaded = []

    def load_module(path=application.MODULE, **options):
        loaded.append(application.load_module(path, **options))
        return loaded[-1]

    yield load_module
    for widget in loaded:
        application.unload_module(widget)


@pytest.fixture
def press(application):
    """Click a button; it has to be visible and enabled."""
    return application.press


@pytest.fixture
def wait_until(application):
    """Let events be handled until a condition holds."""
    return application.wait_until


@pytest.fixture
def watchdog(application):
    """Measures the longest time during which no event was handled; see watchdog.py."""
    from watchdog import Watchdog

    dog = Watchdog()
    dog.start()
    yield dog
    dog.stop()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go: kept after the test, the newest replaces the last."""
    folder = Path(os.environ.get("FEWSHOTSEGMENT_PICTURES", HERE / "pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
