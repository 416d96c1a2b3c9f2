"""Reading and writing annotations and results: names, colours, tags, order, geometry and voxels survive."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import direction, to_image, write, write_series

from FewShotSegmentLib import GeometryError, InputError, OutputError
from FewShotSegmentLib.images import Geometry, check_output, read_annotation, read_volume, write_segmentation
from FewShotSegmentLib.images.output import Found, all_or_nothing
from FewShotSegmentLib.images.seg_nrrd import SegNrrd, read_seg_nrrd, write_seg_nrrd

TAGS = "Segmentation.Status:inprogress|TerminologyEntry:Segmentation category and type~SCT^123037004^Anatomical~^^|"


def segmentation(shape=(6, 8, 10), matrix=None, layers=1):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 3, shape).astype(np.uint8) for _ in range(layers)]
    segments = [
        {"ID": "S1", "Name": "Leber größe 肝", "Color": "0.86 0.4 0.31", "LabelValue": "1", "Layer": "0", "Tags": TAGS},
        {"ID": "S2", "Name": "Tumour = 2", "Color": "1 0 0", "LabelValue": "2", "Layer": str(layers - 1), "Tags": "|"},
    ]
    geometry = Geometry.of_image(to_image(arrays[0], spacing=(0.7, 0.8, 2.5), matrix=matrix))
    return SegNrrd(arrays, geometry, segments, {"Segmentation_ConversionParameters": r"A|1|x.\n0 = y&B|2|z"})


def save(path, content):
    with path.open("wb") as file:
        write_seg_nrrd(file, content)
    return path


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("oblique", [False, True])
def test_seg_nrrd_round_trip_is_letter_for_letter(tmp_path, layers, oblique):
    content = segmentation(layers=layers, matrix=direction(oblique, left_handed=True))
    read = read_seg_nrrd(save(tmp_path / "a.seg.nrrd", content))
    assert read.segments == content.segments
    assert read.fields == content.fields
    np.testing.assert_array_equal(read.geometry.ijk_to_lps, content.geometry.ijk_to_lps)
    for mine, theirs in zip(read.layers, content.layers, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_same_segmentation_same_bytes(tmp_path):
    files = [save(tmp_path / f"{n}.seg.nrrd", segmentation(layers=2)) for n in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_other_programs_read_the_voxels(tmp_path):
    content = segmentation()
    image = sitk.ReadImage(str(save(tmp_path / "a.seg.nrrd", content)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), content.layers[0])
    assert image.GetMetaData("Segment1_Name") == "Tumour = 2"


def test_header_in_ras_is_turned_to_lps(tmp_path):
    content = segmentation()
    path = save(tmp_path / "a.seg.nrrd", content)
    path.write_bytes(path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior"))
    flip = np.diag([-1, -1, 1, 1])
    np.testing.assert_allclose(read_seg_nrrd(path).geometry.ijk_to_lps, flip @ content.geometry.ijk_to_lps)


def test_segments_of_an_annotation(tmp_path):
    content = segmentation(layers=2)
    annotation = read_annotation(save(tmp_path / "a.seg.nrrd", content))
    assert [s.name for s in annotation.segments] == ["Leber größe 肝", "Tumour = 2"]
    assert annotation.segments[0].color == (0.86, 0.4, 0.31)
    np.testing.assert_array_equal(annotation.segments[0].mask, content.layers[0] == 1)
    np.testing.assert_array_equal(annotation.segments[1].mask, content.layers[1] == 2)
    with pytest.raises(InputError, match="no segment “liver” in a.seg.nrrd; there are: Leber größe 肝, Tumour = 2"):
        annotation.select(["liver"])


def test_damaged_and_foreign_segmentations(tmp_path):
    path = save(tmp_path / "a.seg.nrrd", segmentation())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 60])
    with pytest.raises(InputError, match=r"a.seg.nrrd cannot be read"):
        read_annotation(path)
    content = segmentation()
    content.fields["Segmentation_MasterRepresentation"] = "Fractional labelmap"
    with pytest.raises(InputError, match="holds a fractional labelmap; convert"):
        read_annotation(save(path, content))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_labelmaps(tmp_path, kind):
    labels = np.zeros((6, 8, 10), kind)
    labels[2, 3:6, 3:6], labels[4, 1:3, 1:3] = 5, 2
    annotation = read_annotation(write(tmp_path / "labels.nii.gz", labels))
    assert [(s.name, s.label) for s in annotation.segments] == [("Segment_2", 2), ("Segment_5", 5)]
    np.testing.assert_array_equal(annotation.select(["5"])[0].mask, labels == 5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 5, 6), np.uint8), "is empty"),
        (np.full((4, 5, 6), 0.5, np.float32), "no whole numbers"),
        (np.full((4, 5, 6), np.nan, np.float32), "no whole numbers"),
        (np.full((4, 5, 6), np.inf, np.float32), "no whole numbers"),
        (np.full((4, 5, 6), -1, np.int16), "values of -1 to -1, so it is not a labelmap"),
        (np.full((4, 5, 6), 2**33, np.int64), "so it is not a labelmap"),
        (np.arange(4000, dtype=np.int16).reshape(10, 20, 20), "3999 different values all over the volume"),
        (np.zeros((5, 6), np.uint8), "2 dimensions"),
    ],
)
def test_what_is_no_labelmap(tmp_path, values, words):
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match=words):
        read_annotation(tmp_path / "a.nrrd")


def test_annotation_of_another_geometry(tmp_path, organ):
    volume = read_volume(write(tmp_path / "v.nii.gz", organ.image))
    path = write(tmp_path / "a.nii.gz", organ.mask.astype(np.uint8), origin=(-40.0, 25.0, 301.0))
    with pytest.raises(GeometryError, match=r"off by up to 1 mm"):
        read_annotation(path, volume.geometry)


def found(mask, anchor, segment):
    return Found(segment, mask, (0, (anchor,)))


@pytest.fixture
def overlapping(tmp_path):
    labels = np.zeros((4, 6, 6), np.uint8)
    labels[1, 1, 1], labels[2, 1, 1] = 1, 2
    annotation = read_annotation(write(tmp_path / "l.nrrd", labels))
    first, second = np.zeros((2, 4, 6, 6), bool)
    first[1:4, 1:4, 1:4] = True
    second[0:4, 2:5, 2:5] = True
    return annotation, [found(first, 1, annotation.segments[0]), found(second, 2, annotation.segments[1])]


def test_overlapping_segments_keep_all_their_voxels_in_a_seg_nrrd(tmp_path, overlapping):
    annotation, items = overlapping
    assert write_segmentation(tmp_path / "o.seg.nrrd", items, annotation.geometry) == []
    read = read_annotation(tmp_path / "o.seg.nrrd")
    for item, segment in zip(items, read.segments, strict=True):
        np.testing.assert_array_equal(segment.mask, item.mask)


def test_tags_of_an_earlier_result_are_not_carried_over(tmp_path, overlapping):
    annotation, items = overlapping
    carried = "TerminologyEntry:a~b|FewShotSegment.Anchors:{}|Mine:1:2|"

    def tagged(item, tags, **own):
        return replace(item, segment=replace(item.segment, fields={"Tags": tags}), tags=own)

    first = tagged(items[0], carried, **{"FewShotSegment.New": "{}"})
    second = tagged(items[1], "FewShotSegment.Anchors:{}|")
    write_segmentation(tmp_path / "o.seg.nrrd", [first, second], annotation.geometry)
    one, other = read_annotation(tmp_path / "o.seg.nrrd").segments
    assert one.fields["Tags"] == "TerminologyEntry:a~b|Mine:1:2|FewShotSegment.New:{}|"
    assert "Tags" not in other.fields


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_in_a_labelmap_the_later_one_wins_except_on_annotated_slices(tmp_path, overlapping, ending):
    annotation, items = overlapping
    notes = write_segmentation(tmp_path / f"o{ending}", items, annotation.geometry)
    overlap = np.count_nonzero(items[0].mask & items[1].mask)
    assert len(notes) == 1
    assert notes[0].startswith(
        f"Segment_1 and Segment_2 overlap in {overlap} voxels; in the labelmap Segment_2, the later"
    )
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"o{ending}")))
    np.testing.assert_array_equal(labels[1] == 1, items[0].mask[1])  # annotated on slice 1
    np.testing.assert_array_equal(labels[2:] == 2, items[1].mask[2:])


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("ending", [".seg.nrrd", ".nrrd", ".mha", ".nii.gz"])
def test_geometry_survives(tmp_path, ending, oblique):
    labels = np.zeros((4, 6, 6), np.uint8)
    labels[1, 1, 1] = 1
    matrix = direction(oblique, left_handed=True)
    path = write(tmp_path / "l.nrrd", labels, spacing=(0.71, 0.83, 2.51), origin=(1.1, -220.7, 33.3), matrix=matrix)
    annotation = read_annotation(path)
    write_segmentation(tmp_path / f"o{ending}", [found(labels == 1, 1, annotation.segments[0])], annotation.geometry)
    tolerance = 1e-4 if ending == ".nii.gz" else 1e-10  # NIfTI keeps single precision
    read = read_annotation(tmp_path / f"o{ending}")
    np.testing.assert_allclose(read.geometry.ijk_to_lps, annotation.geometry.ijk_to_lps, rtol=0, atol=tolerance)


def test_all_or_nothing(tmp_path):
    paths = [tmp_path / "a.nrrd", tmp_path / "b.nii.gz"]
    paths[0].write_text("old")
    with pytest.raises(KeyboardInterrupt), all_or_nothing(paths) as parts:
        parts[0].write_text("new")
        raise KeyboardInterrupt
    assert paths[0].read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nrrd"]
    with all_or_nothing(paths) as parts:
        for part in parts:
            part.write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nrrd", "b.nii.gz"]
    assert paths[0].read_text() == "new"


def test_a_full_disk_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match="No space left"), all_or_nothing([tmp_path / "a.nrrd"]):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_nifti_that_did_not_fit_is_not_kept(tmp_path):
    """ITK writes as much of a NIfTI as the disk takes, prints a line and goes on."""
    with pytest.raises(OutputError, match="disk is full"), all_or_nothing([tmp_path / "a.nii"]) as parts:
        write(parts[0], np.zeros((9, 9, 9), np.uint8))
        parts[0].write_bytes(parts[0].read_bytes()[:500])
    assert list(tmp_path.iterdir()) == []


def test_two_files_take_their_names_together_or_not_at_all(tmp_path, monkeypatch):
    paths = [tmp_path / "a.nrrd", tmp_path / "b.nrrd"]
    paths[0].write_text("old")
    replace = Path.replace

    def fails_on_the_second(self, target):
        if Path(target) == paths[1]:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_on_the_second)
    with pytest.raises(OutputError, match="Input/output error"), all_or_nothing(paths) as parts:
        for part in parts:
            part.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nrrd"]
    assert paths[0].read_text() == "old"


def test_a_link_keeps_pointing_where_it_did(tmp_path):
    (tmp_path / "real.nrrd").write_text("old")
    (tmp_path / "link.nrrd").symlink_to(tmp_path / "real.nrrd")
    (tmp_path / "dangling.nrrd").symlink_to(tmp_path / "nowhere.nrrd")
    with pytest.raises(OutputError, match="exists already"):
        check_output(tmp_path / "dangling.nrrd", False, [], (".nrrd",))
    assert check_output(tmp_path / "link.nrrd", True, [], (".nrrd",)) == tmp_path / "real.nrrd"


def test_where_results_may_go(tmp_path):
    there, volume = tmp_path / "there.seg.nrrd", tmp_path / "volume.nrrd"
    there.touch()
    volume.touch()
    kinds = (".seg.nrrd", ".nrrd")
    for path, force, words in (
        (tmp_path / "a.txt", False, "no known ending"),
        (tmp_path / "no" / "a.nrrd", False, "no folder"),
        (there, False, "exists already; choose another name, or allow it with --force"),
        (volume, True, "one of the inputs, which are never overwritten"),
    ):
        with pytest.raises(OutputError, match=words):
            check_output(path, force, [volume], kinds)
    assert check_output(there, True, [volume], kinds) == there


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_a_volume_that_was_cut_short_is_noticed(tmp_path, ending, kind):
    """ITK fills up a truncated NIfTI with whatever it finds, and says nothing."""
    path = write(tmp_path / f"v{ending}", np.random.default_rng(0).integers(0, 200, (12, 20, 20)).astype(kind))
    assert read_volume(path).array.shape == (12, 20, 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(InputError, match=f"v{ending} (is damaged|cannot be read)"):
        read_volume(path)


@pytest.mark.parametrize(
    ("was", "now"),
    [("Segment0_Color:=0.86 0.4 0.31", "Segment0_Color:=1 0"), ("space origin: (-40", "space origin: (nan")],
)
def test_odd_headers_are_one_sentence(tmp_path, was, now):
    path = save(tmp_path / "a.seg.nrrd", segmentation())
    assert was.encode() in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(was.encode(), now.encode()))
    with pytest.raises(InputError, match=r"cannot be read|does not say where it lies"):
        read_annotation(path)


def test_a_single_dicom_file_or_a_closed_one(tmp_path, organ, monkeypatch):
    folder = write_series(tmp_path / "d", organ.image)
    with pytest.raises(InputError, match="one slice of a DICOM series; give the folder"):
        read_volume(next(folder.iterdir()))
    path = write(tmp_path / "v.nii.gz", organ.image)

    def closed(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        read_volume(path)
