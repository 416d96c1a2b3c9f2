"""A real worker with the bundled weights, shared by the tests that do not end it."""

import os
import sys
from pathlib import Path

import pytest
from small_cases import make_organ
from worker_cases import Files

from FewShotSegmentLib.worker.client import Limits, WorkerClient
from FewShotSegmentLib.worker.transport import SubprocessTransport

# the bundled weights at half of the usual size or less, as `engine`, and fine-tuning that learns at once: the same code
# in less time
SMALL_WORKER = """
from FewShotSegmentLib.finetune import FinetuneSettings
from FewShotSegmentLib.settings import Settings
from dataclasses import fields

def set_defaults(of, **changes):
    values = dict(zip([f.name for f in fields(of)], of.__init__.__defaults__, strict=True))
    assert all(values[name] == getattr(of, name) for name in changes)
    of.__init__.__defaults__ = tuple((values | changes).values())

set_defaults(Settings, long_side=96, window_size=64, refiner_size=48)
set_defaults(FinetuneSettings, learning_rate=1e-2, rehearsal=0.0, sequences=2, held_out=1, folds=1)
from FewShotSegmentLib.worker.__main__ import main
main()
"""

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Where a user's library and weights would be; never the real ones."""
    folder = tmp_path_factory.mktemp("home")
    return {
        "FEWSHOTSEGMENT_WEIGHTS": str(folder / "weights"),
        "FEWSHOTSEGMENT_LIBRARY": str(folder / "library.fsslib"),
    }


@pytest.fixture(scope="session")
def environment(homes):
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **homes, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def make_client(environment):
    """Makes clients, which are closed in the end."""
    clients = []

    def make(command=("-m", "FewShotSegmentLib.worker"), limits=None, **changes):
        given = {**environment, **changes}
        clients.append(
            WorkerClient(SubprocessTransport, [sys.executable, *command], environment=given, limits=limits or Limits())
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def client(make_client):
    return make_client(("-c", SMALL_WORKER))


@pytest.fixture
def ask(client):
    """Asks and waits; the ticket must not be left unsettled."""

    def ask(request, seconds=120, **callbacks):
        ticket = client.wait(client.submit(request, **callbacks), seconds)
        assert ticket.settled, f"no answer to {request}; the worker said:\n{client.last_log}"
        return ticket

    return ask


@pytest.fixture
def answer(ask):
    """Asks, waits, and gives the answer."""

    def answer(request, **callbacks):
        ticket = ask(request, **callbacks)
        assert ticket.state == "done", ticket.failure
        return ticket.answer

    return answer


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture(scope="session")
def small():
    """Few slices, so that little time passes."""
    return make_organ((7, 40, 48), radii=(2.4, 11, 10))
