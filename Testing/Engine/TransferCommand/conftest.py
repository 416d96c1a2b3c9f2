"""What the tests of the command share: the engine loaded once, two volumes as files, nobody's own library."""

import pytest
from small_cases import make_organ, write

from FewShotSegmentLib import Engine


@pytest.fixture(autouse=True)
def quick(monkeypatch, engine, tmp_path):
    """The engine of all these tests, at a third of the usual size and loaded once; and nobody's own library."""
    monkeypatch.setattr(Engine, "load", lambda device="auto", **_: engine)
    monkeypatch.setenv("FEWSHOTSEGMENT_LIBRARY", str(tmp_path / "own" / "library.fsslib"))


@pytest.fixture(scope="module")
def other():
    """Four slices of another patient: the organ goes through all of them."""
    organ = make_organ(seed=5, center=(7.5, 26, 25), radii=(4.2, 10, 12.5))
    organ.image, organ.mask = organ.image[5:9], organ.mask[5:9]
    return organ


@pytest.fixture
def files(case, other, tmp_path):
    """(annotated volume, its annotation, query, folder for results)."""
    volume, annotation, _ = case
    return volume, annotation, write(tmp_path / "query.nii.gz", other.image), tmp_path / "out"
