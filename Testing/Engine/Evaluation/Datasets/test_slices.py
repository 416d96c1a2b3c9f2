"""Single DICOM slices make a volume where they lie evenly along their normal."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.datasets.slices import along_normal, read_header, stack
from FewShotSegmentLib.images import read_volume


@pytest.fixture
def make(tmp_path, write_slice):
    def put(heights, across=(0.0, 0.0), size=(5, 6)):
        paths = [tmp_path / "d" / f"{index}.dcm" for index in range(len(heights))]
        for index, (path, z) in enumerate(zip(paths, heights, strict=True)):
            shift = (across[0] * index, across[1] * index)
            write_slice(path, np.full(size, index, np.int16), z, across=shift, number=index + 1)
        return along_normal([read_header(path) for path in paths])

    return put


def test_as_the_series_reader(tmp_path, make):
    slices = make((12.0, 4.0, 8.0))
    image, geometry = stack(slices)
    assert image[:, 0, 0].tolist() == [1, 2, 0]
    other = read_volume(tmp_path / "d")
    np.testing.assert_array_equal(image, other.array)
    np.testing.assert_allclose(geometry.ijk_to_lps, other.geometry.ijk_to_lps)
    assert geometry.shape == other.geometry.shape == (3, 5, 6)


def test_one_slice(make):
    image, geometry = stack(make((4.0,)))
    assert image.shape == (1, 5, 6)
    assert geometry.spacing == pytest.approx((1.5, 1.25, 1.5))


@pytest.mark.parametrize(
    ("heights", "across", "why"),
    [
        ((0, 5, 15, 20), (0, 0), "not evenly spaced"),
        ((0, 0, 5), (0, 0), "same place|not evenly"),
        ((0, 5, 10), (2, 0), "not evenly"),
    ],
)
def test_what_makes_no_volume(make, heights, across, why):
    with pytest.raises(InputError, match=why):
        stack(make(heights, across))


def test_slices_that_differ(tmp_path, make, write_slice):
    slices = make((0, 5))
    write_slice(tmp_path / "d" / "9.dcm", np.zeros((7, 6), np.int16), 10)
    with pytest.raises(InputError, match="differ in size"):
        stack([*slices, read_header(tmp_path / "d" / "9.dcm")])
