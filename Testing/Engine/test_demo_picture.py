"""What the demo gives to the engine, how it measures the result, and its picture."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

import SimpleITK as sitk

from FewShotSegmentLib.demo.cases import choose_slices, is_reference
from FewShotSegmentLib.demo.overlay import Picture, Row, draw_overlay
from FewShotSegmentLib.demo.score import Score, dice, mean, score, slices_of
from FewShotSegmentLib.demo.view import columns, crop, grey_window, plane
from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.images import Geometry, Segment
from FewShotSegmentLib.phantom import Phantom, make_phantom

SHAPE = (16, 48, 48)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(SHAPE, (18.75, 7.3, 7.3))


@pytest.fixture(scope="module")
def geometry(phantom) -> Geometry:
    return Geometry(SHAPE, np.diag([*reversed(phantom.spacing), 1.0]))


@pytest.fixture(scope="module")
def segments(phantom) -> list[Segment]:
    return [Segment(n, (0.5, 0.5, 0.5), label, {}, phantom.labels, label) for label, n in phantom.names.items()]


class TestCuttingDown:
    def test_each_organ_keeps_exactly_its_middle_slice(self, segments, geometry):
        organs = choose_slices(segments, geometry)
        assert [organ.segment.name for organ in organs] == [segment.name for segment in segments]
        for organ in organs:
            full = organ.segment.mask
            held = slices_of(full, 0)
            (middle,) = organ.annotated
            assert organ.cut_down
            assert slices_of(organ.annotation, 0) == [middle]
            assert np.array_equal(organ.annotation[middle], full[middle])
            assert middle == sorted(held)[len(held) // 2]
            assert np.array_equal(organ.reference, full)

    def test_the_slices_are_those_of_the_acquisition(self):
        mask = np.zeros((10, 10, 10), bool)
        mask[2:8, 2:8, 3:8] = True
        segment = Segment("box", (1, 0, 0), 1, {}, mask, True)
        (organ,) = choose_slices([segment], Geometry((10, 10, 10), np.diag([5.0, 1.0, 1.0, 1.0])))
        assert organ.axis == 2
        assert organ.annotated == (5,)
        assert organ.annotation.sum() == 36

    def test_a_single_annotated_slice_is_no_reference(self, geometry):
        mask = np.zeros(SHAPE, bool)
        mask[:, 20, 10:30] = True
        segment = Segment("coronal", (1, 0, 0), 1, {}, mask, True)
        (organ,) = choose_slices([segment], geometry)
        assert not organ.cut_down
        assert organ.axis == 1
        assert organ.annotated == (20,)
        assert organ.reference is None
        assert np.array_equal(organ.annotation, mask)

    def test_a_few_annotated_slices_apart_are_no_reference(self, phantom, geometry):
        sparse = phantom.labels == 1
        keep = slices_of(sparse, 0)[::2]
        sparse[[z for z in range(SHAPE[0]) if z not in keep]] = False
        assert not is_reference(sparse)
        (organ,) = choose_slices([Segment("liver", (1, 0, 0), 1, {}, sparse, True)], geometry)
        assert organ.annotated == tuple(keep)

    def test_known_references_are_cut_down_however_small(self, geometry):
        mask = np.zeros(SHAPE, bool)
        mask[4:6, 10:14, 10:14] = True
        segment = Segment("crumb", (1, 0, 0), 1, {}, mask, True)
        assert choose_slices([segment], geometry)[0].cut_down is False
        (organ,) = choose_slices([segment], geometry, complete=True)
        assert organ.cut_down
        assert len(organ.annotated) == 1

    def test_empty_segments_are_left_out_and_nothing_at_all_is_an_error(self, segments, geometry):
        empty = Segment("nothing", (1, 0, 0), 9, {}, np.zeros(SHAPE, bool), True)
        assert len(choose_slices([*segments, empty], geometry)) == len(segments)
        with pytest.raises(InputError, match="empty"):
            choose_slices([empty], geometry)


class TestScore:
    def test_dice(self):
        a = np.array([1, 1, 0, 0], bool)
        assert dice(a, a) == 1
        assert dice(a, ~a) == 0
        assert dice(a, np.array([1, 0, 0, 0], bool)) == pytest.approx(2 / 3)
        assert dice(~a & a, ~a & a) is None

    def test_the_annotated_slice_is_left_out(self):
        reference = np.zeros((5, 4, 4), bool)
        reference[1:4] = True
        only_given = np.zeros_like(reference)
        only_given[2] = True
        assert score(only_given, reference, 0, [2]) == Score(whole=0.0, own=0.0)
        assert score(only_given, reference, 0, []).whole == pytest.approx(0.5)

    def test_running_on_counts_against_the_whole_volume_only(self):
        reference = np.zeros((6, 4, 4), bool)
        reference[1:4] = True
        result = np.ones_like(reference)
        got = score(result, reference, 0, [2])
        assert got.own == 1
        assert got.whole == pytest.approx(2 * 2 / (2 + 5))

    def test_other_axes(self):
        reference = np.zeros((4, 4, 6), bool)
        reference[..., 1:4] = True
        assert score(reference, reference, 2, [2]) == Score(1.0, 1.0)
        assert score(~reference, reference, 2, [2]).own == 0

    def test_nothing_left_to_compare(self):
        reference = np.zeros((4, 4, 4), bool)
        reference[2] = True
        assert score(reference, reference, 0, [2]) == Score(None, None)
        assert mean([None, 0.5, 1.0]) == 0.75
        assert mean([None]) is None


class TestView:
    LPS = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float)  # array axes z, y, x

    def test_lps_axial_stays_as_it_is(self):
        layout = plane(0, self.LPS, (5, 2, 1))
        picture = np.arange(12).reshape(1, 3, 4)
        assert np.array_equal(layout.slice(picture, 0), picture[0])
        assert (layout.left, layout.top, layout.pixel) == ("R", "A", (2, 1))

    def test_ras_files_are_turned_to_radiological_view(self):
        ras = self.LPS * [-1, -1, 1]
        layout = plane(0, ras, (5, 2, 1))
        picture = np.arange(12).reshape(1, 3, 4)
        assert np.array_equal(layout.slice(picture, 0), picture[0, ::-1, ::-1])
        assert (layout.left, layout.top) == ("R", "A")

    def test_coronal_and_sagittal_have_the_head_up(self):
        volume = np.zeros((3, 4, 5))
        volume[2] = 1
        for axis, left in ((1, "R"), (2, "A")):
            layout = plane(axis, self.LPS, (5, 2, 1))
            assert layout.slice(volume, 0)[0].all()
            assert (layout.left, layout.top) == (left, "S")

    def test_swapped_axes_are_swapped_back(self):
        layout = plane(0, self.LPS[[0, 2, 1]], (5, 1, 2))  # array [z, x, y]
        volume = np.zeros((1, 5, 4))
        volume[0, :, 0] = 1  # anterior
        assert layout.slice(volume, 0).shape == (4, 5)
        assert layout.slice(volume, 0)[0].all()
        assert layout.pixel == (2, 1)

    def test_columns_hold_the_ends_and_the_annotated_slice(self):
        assert columns((0, 90), (20, 60), 40) == [0, 30, 40, 50, 90]
        assert columns((4, 4), (4, 4), 4) == [4]
        assert columns((3, 5), (3, 5), 3) == [3, 4, 5]

    def test_crop_is_square_and_holds_everything(self):
        shown = np.zeros((40, 60), bool)
        shown[10:20, 30:50] = True
        left, right, bottom, top = crop(shown, (3.0, 2.0), margin_mm=10, least_mm=20)
        assert right - left == pytest.approx(bottom - top)
        assert left <= 60 - 10
        assert right >= 100 + 10
        assert top <= 30 - 10
        assert bottom >= 60 + 10

    def test_windows(self):
        assert grey_window(np.zeros(3), "ct") == (-160, 240)
        low, high = grey_window(np.arange(1000.0), "mr")
        assert 0 < low < 50
        assert 950 < high < 1000
        assert grey_window(np.zeros(9), "mr")[0] < grey_window(np.zeros(9), "mr")[1]


def picture_of(phantom: Phantom, *, has_reference: bool) -> Picture:
    return Picture(
        phantom.image, phantom.spacing, TestView.LPS, "ct", "phantom", "generated", has_reference=has_reference
    )


def rows_of(phantom: Phantom, organs, *, reference: bool) -> list[Row]:
    rows = []
    for organ in organs:
        result = np.roll(organ.segment.mask, 1, axis=0)
        measured = score(result, organ.segment.mask, 0, organ.annotated) if reference else None
        known = organ.reference if reference else None
        rows.append(Row(organ.segment.name, 0, organ.annotated, organ.annotation, result, known, measured))
    return rows


class TestOverlay:
    def test_all_organs_are_drawn_with_names_scores_and_contours(
        self, phantom, segments, geometry, tmp_path, monkeypatch
    ):
        drawn = {}
        from matplotlib.figure import Figure

        original = Figure.savefig

        def savefig(figure, *arguments, **options):
            drawn["figure"] = figure
            original(figure, *arguments, **options)

        monkeypatch.setattr(Figure, "savefig", savefig)
        organs = choose_slices(segments, geometry)
        rows = rows_of(phantom, organs, reference=True)
        path = tmp_path / "overlay.png"
        draw_overlay(path, picture_of(phantom, has_reference=True), iter(rows), len(rows))

        figure = drawn["figure"]
        said = " | ".join(text.get_text() for text in figure.texts)
        for row in rows:
            assert row.name in said
            assert f"Dice {row.score.whole:.3f} whole volume, {row.score.own:.3f} own slices" in said
        cells = " | ".join(text.get_text() for axes in figure.axes for text in axes.texts)
        assert cells.count("annotated") == len(rows)
        # The results are shifted up by a slice: they start late and run on.
        assert cells.count("past the organ's end") == len(rows)
        assert cells.count("missed") == len(rows)
        assert 4 * len(rows) <= len(figure.axes) <= 5 * len(rows)
        assert [t.get_text() for t in figure.legends[0].get_texts()] == [
            "annotated slice (given)",
            "result",
            "reference",
        ]
        width, height = sitk.ReadImage(str(path)).GetSize()
        assert width > 1000
        assert height > len(rows) * 200

    def test_without_reference_none_is_shown(self, phantom, segments, geometry, tmp_path):
        rows = rows_of(phantom, choose_slices(segments[:1], geometry), reference=False)
        path = tmp_path / "overlay.png"
        draw_overlay(path, picture_of(phantom, has_reference=False), rows, len(rows))
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[..., :3].astype(int)
        blue = np.array([0x41, 0xC9, 0xFF])
        pink = np.array([0xFF, 0x4F, 0x9A])
        assert (np.abs(pixels - blue).sum(-1) < 30).sum() == 0
        assert (np.abs(pixels - pink).sum(-1) < 30).sum() > 50

    def test_a_result_that_found_nothing_is_drawn(self, phantom, segments, geometry, tmp_path):
        (organ,) = choose_slices(segments[:1], geometry)
        nothing = np.zeros(SHAPE, bool)
        row = Row("liver", 0, organ.annotated, organ.annotation, nothing, organ.reference, Score(0.0, 0.0))
        draw_overlay(tmp_path / "overlay.png", picture_of(phantom, has_reference=True), [row], 1)
        assert (tmp_path / "overlay.png").stat().st_size > 5000
