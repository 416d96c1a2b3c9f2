"""Images and labels of one grid, whatever way round; anything else is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import to_image, write

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.datasets.reading import read_pair


def test_flipped_labels_are_put_right(tmp_path, pair):
    _, labels = pair("i.nii.gz", "l.nii.gz", values=(1, 4))
    image = tmp_path / "i.nii.gz"
    turned = sitk.Flip(sitk.ReadImage(str(tmp_path / "l.nii.gz")), (True, False, True))
    sitk.WriteImage(turned, str(tmp_path / "t.nii.gz"))
    assert not np.array_equal(sitk.GetArrayFromImage(turned), labels)
    np.testing.assert_array_equal(read_pair(image, tmp_path / "t.nii.gz", "ct").labels, labels)


def test_labels_of_another_grid(tmp_path, pair):
    _, labels = pair("i.nii.gz", "l.nii.gz")
    write(tmp_path / "o.nii.gz", labels, origin=(-40.0, 25.5, 300.0))
    with pytest.raises(InputError, match=r"o.nii.gz \(labels of i.nii.gz\) does not lie on the volume's voxels"):
        read_pair(tmp_path / "i.nii.gz", tmp_path / "o.nii.gz", "ct")
    write(tmp_path / "s.nii.gz", labels, spacing=(1.0, 1.0, 2.0))
    with pytest.raises(InputError, match=r"s.nii.gz .* voxels of 1 × 1 × 2 mm, the volume of 1 × 1 × 3 mm"):
        read_pair(tmp_path / "i.nii.gz", tmp_path / "s.nii.gz", "ct")


@pytest.mark.parametrize(
    ("value", "why"), [(0.5, "are no whole numbers"), (-1.0, "values below 0"), (np.nan, "are no whole numbers")]
)
def test_what_is_no_labelmap(tmp_path, pair, value, why):
    image, _ = pair("i.nii.gz", "l.nii.gz")
    write(tmp_path / "w.nrrd", np.full(image.shape, value, np.float32))
    with pytest.raises(InputError, match=f"w.nrrd has .*{why}"):
        read_pair(tmp_path / "i.nii.gz", tmp_path / "w.nrrd", "ct")


def test_whole_numbers_as_floats_and_large_ones(tmp_path, pair):
    image, labels = pair("i.nii.gz", "l.nii.gz", values=(200, 500))
    write(tmp_path / "f.nii.gz", labels.astype(np.float32))
    scan = read_pair(tmp_path / "i.nii.gz", tmp_path / "f.nii.gz", "mr")
    np.testing.assert_array_equal(scan.labels, labels)
    assert scan.labels.dtype == np.uint16
    write(tmp_path / "e.nii.gz", np.zeros(image.shape, np.uint8))
    assert not read_pair(tmp_path / "i.nii.gz", tmp_path / "e.nii.gz", "mr").labels.any()


def test_missing_and_damaged_files(tmp_path, pair):
    pair("i.nii.gz", "l.nii.gz")
    image, labels = tmp_path / "i.nii.gz", tmp_path / "l.nii.gz"
    with pytest.raises(InputError, match="There is no file or folder .*gone.nii.gz"):
        read_pair(image, tmp_path / "gone.nii.gz", "ct")
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match="is a folder where a file with labels should be"):
        read_pair(image, tmp_path / "d", "ct")
    labels.write_bytes(labels.read_bytes()[:60])
    with pytest.raises(InputError, match="l.nii.gz is damaged or not complete"):
        read_pair(image, labels, "ct")


def test_a_channel(tmp_path, pair):
    array, labels = pair("i.nii.gz", "l.nii.gz")
    both = sitk.JoinSeries([to_image(array), to_image(array + 7)])
    sitk.WriteImage(both, str(tmp_path / "4.nii.gz"))
    scan = read_pair(tmp_path / "4.nii.gz", tmp_path / "l.nii.gz", "mr", 1)
    np.testing.assert_array_equal(scan.image, array + 7)
    np.testing.assert_array_equal(scan.labels, labels)
    assert scan.spacing == (3.0, 1.0, 1.0)
    for path, channel in (("4.nii.gz", 2), ("i.nii.gz", 0)):
        with pytest.raises(InputError, match=f"has no channel {channel}"):
            read_pair(tmp_path / path, tmp_path / "l.nii.gz", "mr", channel)
