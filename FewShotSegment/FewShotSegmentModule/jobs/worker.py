"""Which process computes, and the client that talks to it."""

import importlib.util
import os
import shutil
import sys

import slicer

TICK_MILLISECONDS = 200
"""How often it is looked whether the worker hangs, or has ignored a cancel, while it has something to do."""

CLOSE_SECONDS = 0.1


def engineFolder():
    """The folder that holds FewShotSegmentLib: the module's own in an installed extension, else the source tree's."""
    moduleFolder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for folder in (moduleFolder, os.path.dirname(moduleFolder)):
        if os.path.isfile(os.path.join(folder, "FewShotSegmentLib", "version.py")):
            return folder
    specification = importlib.util.find_spec("FewShotSegmentLib")
    return os.path.dirname(next(iter(specification.submodule_search_locations))) if specification else ""


def importEngine():
    """Make FewShotSegmentLib importable here; in the source tree it is on no path of Slicer's."""
    folder = engineFolder()
    if folder and importlib.util.find_spec("FewShotSegmentLib") is None:
        sys.path.append(folder)


def pythonExecutable():
    """Slicer's Python, or the one that runs this; empty if neither can be found."""
    suffix = ".exe" if os.name == "nt" else ""
    home = getattr(slicer.app, "slicerHome", "") if hasattr(slicer, "app") else ""
    candidates = [os.path.join(home, "bin", "PythonSlicer" + suffix)] if home else []
    candidates.append(os.path.join(os.path.dirname(sys.executable), "PythonSlicer" + suffix))
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    # sys.executable may be Slicer itself: started once more it would open a second window
    if os.path.basename(sys.executable).lower().startswith(("python", "pypy")):
        return sys.executable
    return shutil.which("PythonSlicer") or ""


def workerCommand():
    """The command that starts the worker."""
    return [pythonExecutable() or "PythonSlicer", "-m", "FewShotSegmentLib.worker"]


def workerEnvironment():
    """This process's environment, with the engine's folder in front of what Python is looked up in."""
    environment = dict(os.environ)
    paths = [engineFolder(), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    # as the engine's command line sets it: threads that spin for long take the processor from Slicer
    environment.setdefault("GOMP_SPINCOUNT", "10000")
    return environment


def hasEventLoop():
    """Whether Qt is there, as it is in Slicer and not under slicer-core alone."""
    try:
        import qt  # noqa: F401 - there is a package of that name in PythonSlicer too, which cannot be imported
    except ImportError:
        return False
    return True


def makeClient(makeTransport=None):
    """A client, and the timer that drives it (None where there is no event loop). Nothing is started.

    Args:
        makeTransport: returns a `Transport`, for tests; the worker's process by default.
    """
    importEngine()
    from FewShotSegmentLib.worker.client import Limits, WorkerClient

    if makeTransport is None:
        if hasEventLoop():
            from .qprocess import QProcessTransport as makeTransport
        else:
            from FewShotSegmentLib.worker.transport import SubprocessTransport as makeTransport
    # one that does not end by itself at once is killed: Slicer's own end is not to be held up
    limits = Limits(close_seconds=CLOSE_SECONDS)
    client = WorkerClient(makeTransport, workerCommand(), environment=workerEnvironment(), limits=limits)
    return client, Ticker(client) if hasEventLoop() else None


class Ticker:
    """Calls client.tick() while the client has something to do, and not otherwise."""

    def __init__(self, client, timer=None):
        if timer is None:
            import qt

            timer = qt.QTimer()
        self._client = client
        self._timer = timer
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.connect("timeout()", self._tick)

    def start(self):
        """There is something to do."""
        self._timer.start()

    def stop(self):
        """No more ticks."""
        self._timer.stop()

    def _tick(self):
        self._client.tick()
        if not self._client.busy:
            self._timer.stop()
