"""From Slicer to the command line and back: what Slicer has saved is understood, and what comes back is Slicer's own.

Volumes and segmentations are made, written and read by Slicer's C++ classes; the engine runs as the user runs it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SHAPE = (10, 26, 40)  # k, j, i. Small and wide: the engine's time goes with slices and their height

LIVER = (
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~~^^~^^"
)


def affine(spacing: tuple[float, float, float], origin=(0.0, 0.0, 0.0), rotation=None, flip=(1, 1, 1)) -> np.ndarray:
    """IJK to RAS."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if rotation is None else rotation) @ np.diag(np.multiply(spacing, flip))
    matrix[:3, 3] = origin
    return matrix


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# As Slicer shows most scanners' volumes: i to the patient's right-left, j back-front, both against RAS.
PLAIN = affine((4.5, 4.5, 7.0), origin=(95.0, 60.0, -35.0), flip=(-1, -1, 1))
# Oblique, three different spacings, and left-handed: the determinant is negative.
OBLIQUE = affine((3.9, 4.8, 7.7), (-31.7, 44.1, 903.2), rotation((0.3, 1.0, -0.6), 28.0), flip=(-1, 1, 1))


@dataclass(frozen=True)
class Segment:
    """A segment of the annotation, and the object in the image that it means."""

    name: str
    color: tuple[float, float, float]
    tags: dict[str, str]
    center: tuple[float, float, float]
    radius: tuple[float, float, float]
    intensity: float
    slice_index: int
    minimum_dice: float

    def truth(self) -> np.ndarray:
        """An ellipsoid that leans and bulges, so that no two slices of it are alike."""
        grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
        z, y, x = ((g - c) / r for g, c, r in zip(grid, self.center, self.radius, strict=True))
        return z**2 + (y - 0.25 * z) ** 2 + (x + 0.2 * z - 0.15 * y**2) ** 2 < 1


ORGAN = Segment(
    name="Leber (rechts) é",
    color=(0.865, 0.51, 0.396),
    tags={"TerminologyEntry": LIVER, "Segmentation.Status": "inprogress"},
    center=(4, 12, 16),
    radius=(3.6, 7, 9.5),
    intensity=140,
    slice_index=4,
    minimum_dice=0.5,
)
# inside the organ: the two segments overlap. Small and of a few slices: that it is found at all is for the benchmark.
LESION = Segment(
    name="Läsion 1",
    color=(0.1, 0.9, 0.25),
    tags={"Rater": "J. Müller"},
    center=(4, 11, 14),
    radius=(2.2, 3.2, 4),
    intensity=230,
    slice_index=4,
    minimum_dice=0.0,
)
VESSEL = Segment(
    name="μ vessel",
    color=(0.2, 0.3, 0.95),
    tags={},
    center=(5, 16, 32),
    radius=(3.6, 4, 4),
    intensity=190,
    slice_index=6,
    minimum_dice=0.5,
)


@dataclass(frozen=True)
class Case:
    """One way from Slicer to the command line."""

    name: str
    segments: tuple[Segment, ...]
    layers: int
    ijk_to_ras: np.ndarray
    axis: int = 0
    volume_file: str = "volume.nrrd"
    crop: bool = False

    def annotation(self, segment: Segment) -> np.ndarray:
        """The segment's mask on the annotated slice alone."""
        mask = np.zeros(SHAPE, bool)
        here = self.slice_of(segment)
        mask[here] = segment.truth()[here]
        assert mask.any()
        return mask

    def slice_of(self, segment: Segment) -> tuple:
        # an index that is an axial slice is scaled to the length of another axis
        index = segment.slice_index if self.axis == 0 else round(segment.center[self.axis])
        return (*[slice(None)] * self.axis, index)


CASES = [
    Case("axial nrrd", (ORGAN, LESION), 2, PLAIN),
    Case("axial nifti", (ORGAN, VESSEL), 1, PLAIN, volume_file="volume.nii.gz"),
    Case("oblique nrrd, cropped", (LESION, ORGAN), 2, OBLIQUE, crop=True),
    Case("oblique nifti, three segments", (VESSEL, LESION, ORGAN), 2, OBLIQUE, volume_file="volume.nii.gz"),
    Case("sagittal", (ORGAN,), 1, PLAIN, axis=2),
]


def image() -> np.ndarray:
    """A body with the objects in it, in numbers like Hounsfield units."""
    random = np.random.default_rng(7)
    _, y, x = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    body = ((y - 13) / 12) ** 2 + ((x - 20) / 18) ** 2 < 1
    values = np.where(body, 20.0, -1000.0) + 12 * gaussian_filter(random.normal(size=SHAPE), (1, 3, 3)) * 10
    for segment in (ORGAN, LESION, VESSEL):
        values[segment.truth()] = segment.intensity
    return (gaussian_filter(values, (0.2, 0.5, 0.5)) + random.normal(0, 6, SHAPE)).astype(np.int16)


def propagate(volume: Path, annotation: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "FewShotSegmentLib.cli.main",
        "propagate",
        volume,
        annotation,
        "-o",
        output,
        "--json",
    ]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, encoding="utf-8", check=False, timeout=600
    )


@dataclass(frozen=True)
class Content:
    """What Slicer sees in a segmentation."""

    ids: list[str]
    names: list[str]
    colors: list[tuple[float, ...]]
    tags: list[dict[str, str]]
    ijk_to_ras: list[np.ndarray]
    masks: list[np.ndarray]
    layers: int


def content(headless, segmentation, volume) -> Content:
    segments = headless.segments(segmentation)
    tag_names = [headless.TERMINOLOGY_TAG, headless.STATUS_TAG, "Rater"]
    inside = segmentation.GetSegmentation()
    return Content(
        ids=[inside.GetNthSegmentID(index) for index in range(len(segments))],
        names=[segment.GetName() for segment in segments],
        colors=[segment.GetColor() for segment in segments],
        tags=[headless.segment_tags(segment, tag_names) for segment in segments],
        ijk_to_ras=[headless.segment_ijk_to_ras(segment) for segment in segments],
        masks=headless.masks(segmentation, volume),
        layers=inside.GetNumberOfLayers(),
    )


@dataclass(frozen=True)
class RoundTrip:
    """What was sent, and what came back."""

    case: Case
    annotation: Content
    report: dict
    result: Content
    saved_again: Content


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def round_trip(request, headless, slicer_scene, tmp_path_factory) -> RoundTrip:
    case: Case = request.param
    # a folder name with a space and a letter outside ASCII, as on many a desktop
    folder = tmp_path_factory.mktemp("round trip é")
    volume = headless.add_volume(image(), case.ijk_to_ras)
    headless.save(volume, folder / case.volume_file)

    segmentation = headless.add_segmentation(volume)
    for segment in case.segments:
        mask = case.annotation(segment)
        headless.add_segment(segmentation, volume, mask, name=segment.name, color=segment.color, tags=segment.tags)
    annotation_file = headless.save(segmentation, folder / "annotation.seg.nrrd", crop=case.crop)
    annotation = content(headless, headless.load_segmentation(annotation_file), volume)

    output = folder / "result.seg.nrrd"
    done = propagate(folder / case.volume_file, annotation_file, output)
    assert done.returncode == 0, done.stderr
    loaded = headless.load_segmentation(output)
    result = content(headless, loaded, volume)
    again = headless.save(loaded, folder / "again.seg.nrrd")
    return RoundTrip(
        case, annotation, json.loads(done.stdout), result, content(headless, headless.load_segmentation(again), volume)
    )


def test_slicer_wrote_what_the_case_says(round_trip):
    """The input is what it is meant to be; else the tests below would prove less than they say."""
    assert round_trip.annotation.layers == round_trip.case.layers
    assert round_trip.annotation.names == [segment.name for segment in round_trip.case.segments]
    for mask, segment in zip(round_trip.annotation.masks, round_trip.case.segments, strict=True):
        np.testing.assert_array_equal(mask, round_trip.case.annotation(segment))


def test_segments_keep_their_identity(round_trip):
    before, after = round_trip.annotation, round_trip.result
    assert after.names == [segment.name for segment in round_trip.case.segments]
    assert after.ids == before.ids
    assert after.tags == before.tags
    for tags, segment in zip(after.tags, round_trip.case.segments, strict=True):
        assert tags.items() >= segment.tags.items()
    np.testing.assert_allclose(after.colors, [segment.color for segment in round_trip.case.segments], atol=1e-5)


def test_result_lies_on_the_grid_of_the_volume(round_trip):
    # NIfTI stores its geometry in single precision
    tolerance = 1e-6 if round_trip.case.volume_file.endswith(".nrrd") else 1e-3
    for matrix in round_trip.result.ijk_to_ras:
        np.testing.assert_allclose(matrix, round_trip.case.ijk_to_ras, rtol=0, atol=tolerance)


def test_annotated_slice_is_kept_voxel_for_voxel(round_trip):
    case = round_trip.case
    for mask, segment in zip(round_trip.result.masks, case.segments, strict=True):
        here = case.slice_of(segment)
        np.testing.assert_array_equal(mask[here], segment.truth()[here])


def test_organ_is_found_in_the_other_slices(round_trip):
    for mask, segment in zip(round_trip.result.masks, round_trip.case.segments, strict=True):
        truth = segment.truth()
        if segment.minimum_dice:
            assert mask.sum() > round_trip.case.annotation(segment).sum()
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > segment.minimum_dice, segment.name


def test_report_agrees_with_the_file(round_trip):
    case, report = round_trip.case, round_trip.report
    assert Path(report["output"]).name == "result.seg.nrrd"
    assert report["seconds"] > 0
    assert report["device"]
    assert set(report["modality"]) == {"used", "source"}
    assert all(isinstance(note, str) for note in report["notes"])
    files = (Path(__file__).resolve().parents[2] / "Resources/weights").glob("*.safetensors")
    assert report["weights"]["sha256"] in {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert [entry["name"] for entry in report["segments"]] == round_trip.result.names
    for entry, mask, segment in zip(report["segments"], round_trip.result.masks, case.segments, strict=True):
        other_axes = tuple(axis for axis in range(3) if axis != case.axis)
        found = np.flatnonzero(mask.any(axis=other_axes))
        assert entry["voxels"] == mask.sum()
        assert entry["anchors"] == [case.slice_of(segment)[-1]]
        assert [entry["first_slice"], entry["last_slice"]] == [found[0], found[-1]]
        assert entry["slices_found"] == len(found)
        assert all(0 <= confidence <= 1 for confidence in entry["slice_confidence"].values())


def test_slicer_saves_and_reads_the_result_again_unchanged(round_trip):
    first, second = round_trip.result, round_trip.saved_again
    assert (second.names, second.ids, second.tags) == (first.names, first.ids, first.tags)
    np.testing.assert_allclose(second.colors, first.colors, atol=1e-6)
    for before, after in zip(first.masks, second.masks, strict=True):
        np.testing.assert_array_equal(after, before)


# --- input that cannot be used ---


@pytest.fixture
def refused(headless, slicer_scene, tmp_path):
    """Run the command on a segmentation that it must refuse; returns what it said."""

    def run(ijk_to_ras: np.ndarray, mask: np.ndarray) -> str:
        volume = headless.save(headless.add_volume(image(), PLAIN), tmp_path / "volume.nrrd")
        reference = headless.add_volume(np.zeros(mask.shape, np.int16), ijk_to_ras)
        segmentation = headless.add_segmentation(reference)
        headless.add_segment(segmentation, reference, mask, name="organ", color=(1, 0, 0), tags={})
        annotation = headless.save(segmentation, tmp_path / "annotation.seg.nrrd")
        done = propagate(volume, annotation, tmp_path / "result.seg.nrrd")
        assert done.returncode == 2
        assert done.stdout == ""
        assert not (tmp_path / "result.seg.nrrd").exists()
        return done.stderr.strip()

    return run


def test_segment_without_a_slice_is_refused_in_one_sentence(refused):
    said = refused(PLAIN, np.zeros(SHAPE, bool))
    assert len(said.splitlines()) == 1
    assert "annotation.seg.nrrd is empty" in said


def test_annotation_of_another_volume_is_refused_in_one_sentence(refused):
    mask = np.zeros(SHAPE, bool)
    mask[4, 6:20, 6:20] = True
    said = refused(OBLIQUE, mask)
    assert len(said.splitlines()) == 1
    assert "annotation.seg.nrrd" in said
    assert " mm" in said
