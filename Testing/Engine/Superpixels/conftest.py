"""What the tests of superpixels share; they need the extra “training”."""

import pytest
from small_cases import write
from superpixel_cases import make_body

pytest.importorskip("skimage")
pytest.importorskip("scipy")


@pytest.fixture(scope="session")
def body_ct():
    return make_body()


@pytest.fixture
def volume(tmp_path, body_ct):
    return write(tmp_path / "ct.nii.gz", body_ct, spacing=(1.5, 1.5, 4.0))
