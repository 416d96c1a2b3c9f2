"""Carrying masks through volumes: the engine's public face."""

import numpy as np
import pytest
from small_cases import dice, make_organ

from FewShotSegmentLib import Cancelled, Engine, InputError, Settings


def test_one_slice_becomes_the_organ(engine, organ):
    result = engine.propagate(organ.image, organ.anchors(7), modality="ct")
    copied = np.repeat(organ.mask[7:8], len(organ.mask), 0)
    assert dice(result.mask, organ.mask) > 0.85
    assert dice(result.mask, organ.mask) > dice(copied, organ.mask) + 0.05
    assert result.slices == tuple(np.flatnonzero(result.mask.any((1, 2))))
    assert (result.anchors, result.axis) == ((7,), 0)


def test_result_says_what_it_is(engine, organ):
    result = engine.propagate(organ.image, organ.anchors(7), modality="ct")
    assert result.mask.dtype == bool
    assert result.mask.shape == result.probability.shape == organ.image.shape
    assert result.probability.dtype == np.float32
    assert result.probability.min() >= 0 and result.probability.max() <= 1
    np.testing.assert_array_equal(result.mask, result.probability > 0.5)
    assert result.slice_confidence.shape == (len(organ.image),)
    assert result.slice_confidence[7] == 1
    assert (result.slice_confidence >= 0).all() and (result.slice_confidence <= 1).all()
    assert result.seconds > 0


@pytest.mark.parametrize("indices", [(7,), (4, 9), (3, 4, 10), (0, 13)])
def test_anchors_are_kept_voxel_for_voxel(engine, organ, indices):
    rng = np.random.default_rng(0)
    # masks that no network would draw: a kept one cannot be a lucky guess
    anchors = {i: organ.mask[7] ^ (rng.random(organ.mask[7].shape) < 0.02) for i in indices}
    result = engine.propagate(organ.image, anchors, modality="ct")
    for i in indices:
        np.testing.assert_array_equal(result.mask[i], anchors[i])
        np.testing.assert_array_equal(result.probability[i], anchors[i])
    assert result.anchors == indices


def test_more_anchors_are_better(engine):
    bent = make_organ((20, 48, 56), radii=(9, 9, 8), seed=2)
    # an organ that leans across the slices in an image that shows nothing: only anchors can tell where it is
    bent.image[:] = np.random.default_rng(1).normal(20, 30, bent.image.shape)
    one = engine.propagate(bent.image, bent.anchors(10), modality="mr")
    three = engine.propagate(bent.image, bent.anchors(5, 10, 15), modality="mr")
    rest = [i for i in range(20) if i not in (5, 10, 15)]
    assert dice(three.mask[rest], bent.mask[rest]) > dice(one.mask[rest], bent.mask[rest]) + 0.03


@pytest.mark.parametrize("axis", [1, 2])
def test_any_axis_gives_what_the_first_one_does(engine, organ, axis):
    image, mask = (np.ascontiguousarray(np.moveaxis(a, 0, axis)) for a in (organ.image, organ.mask))
    along = engine.propagate(image, {7: np.moveaxis(mask, axis, 0)[7]}, axis=axis, modality="ct")
    first = engine.propagate(organ.image, organ.anchors(7), modality="ct")
    np.testing.assert_array_equal(np.moveaxis(along.mask, axis, 0), first.mask)
    np.testing.assert_array_equal(np.moveaxis(along.probability, axis, 0), first.probability)


def test_same_input_same_bits(engine, organ):
    runs = [engine.propagate(organ.image, organ.anchors(4, 9), modality="ct") for _ in range(2)]
    assert runs[0].probability.tobytes() == runs[1].probability.tobytes()
    assert runs[0].slice_confidence.tobytes() == runs[1].slice_confidence.tobytes()


def test_segments_do_not_change_each_other(engine, organ):
    other = {5: np.roll(organ.mask[5], 12, axis=1), 9: organ.mask[9]}
    both = engine.propagate_segments(organ.image, {"a": organ.anchors(7), "b": other}, modality="ct")
    for name, anchors in (("a", organ.anchors(7)), ("b", other)):
        alone = engine.propagate(organ.image, anchors, modality="ct")
        np.testing.assert_array_equal(both[name].probability, alone.probability)
    assert list(both) == ["a", "b"]


def test_segments_decoded_together_as_on_an_accelerator(engine, organ, monkeypatch):
    """Batches may round otherwise in the last bits, hence not exactly."""
    from FewShotSegmentLib import engine as module

    segments = {"a": organ.anchors(7), "b": organ.anchors(7, 10), "c": {7: organ.mask[7] & organ.mask[6]}}
    one_by_one = engine.propagate_segments(organ.image, segments, modality="ct")
    sweep = module.Sweep
    monkeypatch.setattr(module, "Sweep", lambda *arguments: sweep(*arguments[:-2], 8, arguments[-1]))
    for name, result in engine.propagate_segments(organ.image, segments, modality="ct").items():
        np.testing.assert_allclose(result.probability, one_by_one[name].probability, rtol=0, atol=1e-3)
        assert result.anchors == one_by_one[name].anchors


def test_the_range_bounds_the_result(engine, organ):
    result = engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(6, 9))
    assert result.slices == (6, 7, 8, 9)
    with pytest.raises(InputError, match="leaves out annotated slice 7"):
        engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(8, 9))


def test_an_empty_anchor_says_absent_here(engine, organ):
    nothing = np.zeros_like(organ.mask[0])
    result = engine.propagate(organ.image, organ.anchors(7) | {9: nothing}, modality="ct")
    assert result.mask[8].any()
    assert not result.mask[9:].any()
    assert result.anchors == (7, 9)


def test_a_volume_of_one_slice(engine, organ):
    result = engine.propagate(organ.image[7:8], {0: organ.mask[7]}, modality="ct")
    np.testing.assert_array_equal(result.mask[0], organ.mask[7])


def test_inputs_are_not_changed(engine, organ):
    image, mask = organ.image.copy(), organ.mask[7].copy()
    image.flags.writeable = mask.flags.writeable = False
    engine.propagate(image, {7: mask}, modality="ct")


def test_progress_counts_up_to_the_end(engine, organ):
    seen = []
    engine.propagate(organ.image, organ.anchors(4, 9), modality="ct", progress=lambda *s: seen.append(s))
    done, total = zip(*seen, strict=True)
    assert done[0] == 0 and done[-1] == total[-1] == 4 + 4 + 4 + 4
    assert list(done) == sorted(done) and len(set(total)) == 1


def test_progress_reaches_the_end_when_the_organ_ends_early(engine):
    short = make_organ((14, 48, 56), radii=(2.5, 11, 10))
    seen = []
    result = engine.propagate(short.image, short.anchors(7), modality="ct", progress=lambda *s: seen.append(s))
    assert len(result.slices) < 14
    assert seen[-1] == (13, 13)


def test_cancel_within_one_slice(engine, organ):
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 3

    done = []
    with pytest.raises(Cancelled):
        engine.propagate(
            organ.image, organ.anchors(7), modality="ct", cancelled=cancelled, progress=lambda *s: done.append(s[0])
        )
    assert len(calls) == 4 and done[-1] <= 3
    assert engine.propagate(organ.image, organ.anchors(7), modality="ct").mask.any()


def test_a_guessed_modality_is_said(engine, organ):
    engine.propagate(organ.image - 60, organ.anchors(7))
    assert engine.modality == ("ct", "guessed")
    assert "look like CT" in engine.notes[0]
    engine.propagate(organ.image, organ.anchors(7), modality="mr")
    assert (engine.modality, engine.notes) == (("mr", "given"), [])


BAD = {
    "2D": (lambda o: dict(volume=o.image[0]), "2 dimensions"),
    "4D": (lambda o: dict(volume=o.image[None]), "4 dimensions"),
    "complex": (lambda o: dict(volume=o.image + 1j), "real numbers"),
    "empty volume": (lambda o: dict(volume=o.image[:0]), "is empty"),
    "constant": (lambda o: dict(volume=np.zeros_like(o.image)), "same value everywhere"),
    "NaN": (lambda o: dict(volume=np.where(o.mask, np.nan, o.image)), "no numbers"),
    "no anchors": (lambda o: dict(anchors={}), "is empty"),
    "empty anchor": (lambda o: dict(anchors={7: o.mask[7] & False}), "is empty"),
    "anchor outside": (lambda o: dict(anchors={99: o.mask[7]}), "slice 99"),
    "negative anchor": (lambda o: dict(anchors={-1: o.mask[7]}), "slice -1"),
    "anchor's shape": (lambda o: dict(anchors={7: o.mask[7].T}), "slices are"),
    "axis": (lambda o: dict(axis=3), "must be 0, 1 or 2"),
    "axis in words": (lambda o: dict(axis="z"), "must be 0, 1 or 2"),
    "spacing": (lambda o: dict(spacing=(1, 0, 1)), "three positive lengths"),
    "two spacings": (lambda o: dict(spacing=(1, 1)), "three positive lengths"),
    "modality": (lambda o: dict(modality="us"), "must be auto, ct or mr"),
    "range of three": (lambda o: dict(slice_range=(1, 2, 3)), "must be .first, last."),
    "range backwards": (lambda o: dict(slice_range=(9, 5)), "runs backwards"),
    "anchor in words": (lambda o: dict(anchors={"7": o.mask[7]}), "must be a whole number"),
    "anchors as a list": (lambda o: dict(anchors=[o.mask[7]]), "must be given as"),
    "range": (lambda o: dict(slice_range=(5, 99)), "do not lie within"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_plain_sentence(engine, organ, what):
    change, words = BAD[what]
    arguments = dict(volume=organ.image, anchors=organ.anchors(7), modality="mr") | change(organ)
    with pytest.raises(InputError, match=words) as caught:
        engine.propagate(**arguments)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_real_ct_and_mr(shared):
    """Floors well under what `make bench` prints: they catch a broken engine, not a weaker one."""
    import json

    import SimpleITK as sitk

    engine = Engine.load("cpu", settings=Settings(long_side=128))
    folder = shared / "data" / "demo"
    for case, label, floor in (("abdomen_ct", 5, 0.6), ("heart_mr", 1, 0.75)):
        described = next(c for c in json.loads((folder / "cases.json").read_text()) if c["case"] == case)
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{case}_image.nii.gz")))
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{case}_labels.nii.gz"))) == label
        own = np.flatnonzero(mask.any((1, 2)))
        middle = int(own[len(own) // 2])
        result = engine.propagate(
            image, {middle: mask[middle]}, modality=described["modality"].lower(), slice_range=(own[0], own[-1])
        )
        rest = [i for i in own if i != middle]
        assert dice(result.mask[rest], mask[rest]) > floor
