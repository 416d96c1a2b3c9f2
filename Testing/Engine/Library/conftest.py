"""What the tests of the library share."""

import pytest
from library_cases import make_support

from FewShotSegmentLib.support import SupportLibrary


@pytest.fixture
def library(tmp_path):
    return SupportLibrary(tmp_path / "data" / "library.fsslib")


@pytest.fixture
def filled(library):
    library.add([make_support(), make_support("Spleen", 1), make_support("liver", 2, (3,))])
    return library
