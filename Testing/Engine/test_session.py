"""A volume that is worked on again and again: the same results as the engine's, and corrections that are exact."""

import copy
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from session_cases import (
    ABSENT,
    DRAWN,
    REDRAWN,
    anchors_of,
    assert_same,
    assert_untouched_elsewhere,
    changed,
    composed,
    drawn,
)
from small_cases import make_organ

from FewShotSegmentLib import Engine, InputError
from FewShotSegmentLib.propagation import neighbourhood
from FewShotSegmentLib.session import VolumeSession


@pytest.fixture(scope="module")
def engine(engine):
    """The shared one with slices smaller still: many propagations are compared here."""
    return Engine(
        engine.network, engine.device, engine.weights, replace(engine.settings, window_size=32, refiner_size=32)
    )


# --- the same results as the engine's ---


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("cache_bytes", [None, 0, 1, 2_000_000], ids=["default", "none", "one byte", "a few slices"])
def test_equals_the_engine_bit_for_bit(engine, axis, cache_bytes):
    organ = make_organ((14, 40, 36) if axis == 0 else (36, 14, 40) if axis == 1 else (36, 40, 14))
    segments = {"one": organ.anchors(7, axis=axis), "two": organ.anchors(4, 9, axis=axis)}
    options = dict(axis=axis, spacing=(1.5, 1.0, 1.2), modality="ct")
    expected = engine.propagate_segments(organ.image, segments, **options)
    session = VolumeSession(engine, organ.image, **options, cache_bytes=cache_bytes)
    for _ in range(2):
        found = session.propagate(segments, keep_probability=True)
        assert list(found) == ["one", "two"]
        for name, result in found.items():
            assert_same(result, expected[name])
            assert (result.slices, result.anchors) == (expected[name].slices, expected[name].anchors)
            assert (result.renewed, result.axis) == (((0, 13),), axis)
            assert result.seconds > 0


def test_without_probabilities_the_masks_are_the_same(engine, organ):
    session = VolumeSession(engine, organ.image, modality="ct")
    result = session.propagate({"a": organ.anchors(7)})["a"]
    assert result.probability is None
    np.testing.assert_array_equal(result.mask, engine.propagate(organ.image, organ.anchors(7), modality="ct").mask)


def test_ranges_for_all_or_for_each(engine, organ):
    session = VolumeSession(engine, organ.image, modality="ct")
    segments = {"a": organ.anchors(7), "b": organ.anchors(5), "c": organ.anchors(6)}
    each = session.propagate(segments, slice_range={"a": (6, 9), "b": (4, 6)}, keep_probability=True)
    for name, bounds in {"a": (6, 9), "b": (4, 6), "c": None}.items():
        alone = engine.propagate(organ.image, segments[name], modality="ct", slice_range=bounds)
        assert_same(each[name], alone)
    for result in session.propagate(segments, slice_range=(5, 8)).values():
        assert result.slices == (5, 6, 7, 8)


def test_modality_and_notes(engine, organ):
    session = VolumeSession(engine, organ.image - 60)
    assert session.modality == ("ct", "guessed") and "look like CT" in session.notes[0]
    session.propagate({"a": organ.anchors(7)})
    session.propagate({"a": organ.anchors(7)})
    assert len(session.notes) == 1
    given = VolumeSession(engine, organ.image, modality="mr")
    assert (given.modality, given.notes) == (("mr", "given"), [])


def test_the_volume_is_read_once_and_let_go(engine, organ):
    image = organ.image.copy()
    image.flags.writeable = False
    session = VolumeSession(engine, image, modality="ct")
    first = session.propagate({"a": organ.anchors(7)})["a"]
    held = weakref.ref(image)
    del image
    gc.collect()
    assert held() is None
    np.testing.assert_array_equal(session.propagate({"a": organ.anchors(7)})["a"].mask, first.mask)


# --- corrections ---

CHANGES = {
    "added between": (drawn(3, 11), drawn(3, 7, 11), [(0, 2), (4, 10), (12, 13)]),
    "added beside one": (drawn(3, 11), drawn(3, 4, 11), [(0, 2), (4, 10), (12, 13)]),
    "added at an open end": (drawn(6), drawn(6, 10), [(0, 5), (7, 13)]),
    "added at the first slice": (drawn(6), drawn(6) | {0: REDRAWN}, [(0, 5), (7, 13)]),
    "changed": (drawn(3, 7, 11), drawn(3, 11) | {7: REDRAWN}, [(0, 2), (4, 10), (12, 13)]),
    "the only one changed": (drawn(7), {7: REDRAWN}, [(0, 13)]),
    "removed between": (drawn(3, 7, 11), drawn(3, 11), [(0, 2), (4, 10), (12, 13)]),
    "removed at an open end": (drawn(4, 9), drawn(4), [(0, 3), (5, 13)]),
    "said to be absent": (drawn(6), drawn(6) | {9: ABSENT}, [(0, 5), (7, 13)]),
    "emptied": (drawn(4, 9), drawn(4) | {9: ABSENT}, [(0, 3), (5, 13)]),
    "emptied between absences": (
        {3: ABSENT, 7: DRAWN, 9: ABSENT, 11: DRAWN},
        {3: ABSENT, 7: ABSENT, 9: ABSENT, 11: DRAWN},
        [(4, 8)],
    ),
    "absence taken back": (drawn(6) | {9: ABSENT}, drawn(6), [(0, 5), (7, 13)]),
    "absence drawn": (drawn(6) | {9: ABSENT}, drawn(6, 9), [(0, 5), (7, 13)]),
    "two far apart": (drawn(2, 6, 8, 12), drawn(2, 4, 6, 8, 10, 12), [(0, 1), (3, 5), (9, 11)]),
    "two side by side": (drawn(3, 11), drawn(3, 6, 7, 11), [(0, 2), (4, 10), (12, 13)]),
    "neighbours changed": (drawn(3, 7, 11), {3: REDRAWN, 7: REDRAWN, 11: DRAWN}, [(0, 10), (12, 13)]),
    "moved": (drawn(3, 7, 11), drawn(3, 8, 11), [(0, 2), (4, 10), (12, 13)]),
    "nothing": (drawn(3, 7), drawn(3, 7), []),
}


@pytest.mark.parametrize("stop_confidence", [0.4, 0.97], ids=["usual", "runs stop early"])
@pytest.mark.parametrize("what", CHANGES)
def test_old_and_renewed_make_up_a_fresh_result(engine, organ, what, stop_confidence):
    settings = replace(engine.settings, stop_confidence=stop_confidence)
    own = Engine(engine.network, engine.device, engine.weights, settings)
    before, after, renewed = CHANGES[what]
    old_anchors, new_anchors = anchors_of(organ, before), anchors_of(organ, after)
    session = VolumeSession(own, organ.image, modality="ct")
    old = session.propagate({"a": old_anchors}, keep_probability=True)["a"]
    new = session.propagate({"a": new_anchors}, around={"a": changed(before, after)}, keep_probability=True)["a"]
    fresh = own.propagate(organ.image, new_anchors, modality="ct")
    assert list(new.renewed) == renewed
    assert new.anchors == tuple(sorted(after))
    assert_same(composed(old, new), fresh)
    assert_untouched_elsewhere(new)
    if what != "nothing" and stop_confidence < 0.5:
        assert not np.array_equal(old.probability, fresh.probability)


@pytest.mark.parametrize("seed", range(12))
def test_any_chain_of_corrections_is_exact(engine, seed):
    """Random anchors, ranges and axes, four corrections on top of each other, two segments."""
    rng = np.random.default_rng(seed)
    axis, count = int(rng.integers(3)), 16
    organ = make_organ(tuple(np.roll((count, 24, 28), axis)), seed=seed)
    small = Engine(
        engine.network, engine.device, engine.weights, replace(engine.settings, window_size=32, refiner_size=32)
    )
    session = VolumeSession(small, organ.image, axis=axis, modality="ct", cache_bytes=int(rng.choice([10**9, 10**5])))
    ranges = {name: (int(rng.integers(0, 3)), int(rng.integers(count - 3, count))) for name in "ab"}
    described = {name: {7: DRAWN} for name in "ab"}
    current = None
    for _ in range(4):
        previous = copy.deepcopy(described)
        for name in "ab":
            for index in rng.integers(3, count - 3, rng.integers(0, 3)):
                how = rng.choice([DRAWN, REDRAWN, ABSENT, "removed"])
                described[name].pop(int(index), None)
                if how != "removed":
                    described[name][int(index)] = str(how)
            described[name].setdefault(7, REDRAWN)
            if described[name][7] == ABSENT:
                described[name][7] = DRAWN
        segments = {name: anchors_of(organ, described[name], axis) for name in "ab"}
        around = current and {name: changed(previous[name], described[name]) for name in "ab"}
        found = session.propagate(segments, slice_range=ranges, around=around, keep_probability=True)
        if current is None:
            current = found
        for name in "ab":
            alone = small.propagate(organ.image, segments[name], axis=axis, modality="ct", slice_range=ranges[name])
            whole = composed(current[name], found[name])
            assert_same(whole, alone)
            assert_untouched_elsewhere(found[name])
            current[name] = replace(found[name], **whole)


def test_one_segment_corrected_beside_another_that_is_new(engine, organ):
    session = VolumeSession(engine, organ.image, modality="ct")
    old = session.propagate({"a": organ.anchors(3, 11)}, keep_probability=True)["a"]
    segments = {"a": organ.anchors(3, 7, 11), "b": organ.anchors(6), "c": organ.anchors(9)}
    found = session.propagate(segments, around={"a": [7], "b": None}, keep_probability=True)
    fresh = engine.propagate_segments(organ.image, segments, modality="ct")
    assert_same(composed(old, found["a"]), fresh["a"])
    for name in "bc":
        assert_same(found[name], fresh[name])
        assert found[name].renewed == ((0, 13),)


@pytest.mark.parametrize("left", [{}, {7: ABSENT}, {5: ABSENT, 11: ABSENT}], ids=["none", "empty", "two empty"])
def test_no_drawn_anchor_left_empties_the_neighbourhood(engine, organ, left):
    session = VolumeSession(engine, organ.image, modality="ct")
    seen = []
    result = session.propagate(
        {"a": anchors_of(organ, left)}, around={"a": [7]}, progress=lambda *s: seen.append(s), keep_probability=True
    )["a"]
    assert result.renewed == (((6, 10),) if len(left) == 2 else ((0, 13),))
    assert not result.mask.any() and (result.slice_confidence == 1).all()
    assert result.anchors == tuple(left)
    assert (session.kept_bytes, seen) == (0, [(0, 0)])


def test_progress_of_a_correction_counts_its_own_slices(engine, organ):
    session = VolumeSession(engine, organ.image, modality="ct")
    session.propagate({"a": organ.anchors(2, 3, 4, 10, 11, 12)})
    seen = []
    session.propagate(
        {"a": organ.anchors(2, 3, 4, 7, 10, 11, 12)}, around={"a": [7]}, progress=lambda *s: seen.append(s)
    )
    assert (seen[0], seen[-1]) == ((0, 8), (8, 8))


@pytest.mark.parametrize(
    ("new", "anchors", "bounds", "stretches"),
    [
        ([], [4], (0, 9), []),
        ([4], [4], (0, 9), [(0, 9)]),
        ([4], [4], (2, 6), [(2, 6)]),
        ([4], [2, 4, 6], (0, 9), [(0, 1), (3, 5), (7, 9)]),
        ([4], [1, 2, 4, 6, 8], (0, 9), [(0, 0), (3, 5), (9, 9)]),
        ([4], [1, 2, 3, 4, 5, 7, 8], (0, 9), [(4, 4)]),
        ([4], [2, 3, 4, 5, 6], (0, 9), [(0, 1), (4, 4), (7, 9)]),
        ([4, 6], [4, 6], (0, 9), [(0, 9)]),
        ([4, 8], [2, 3, 4, 6, 8], (0, 9), [(0, 1), (4, 5), (7, 9)]),
        ([9], [4], (0, 6), [(0, 3), (5, 6), (9, 9)]),  # gone, and outside a range that has become narrower
        ([0], [4], (2, 6), [(0, 0), (2, 3), (5, 6)]),
    ],
)
def test_the_neighbourhood_ends_at_the_next_anchors_and_at_open_ends_behind_them(new, anchors, bounds, stretches):
    drawn = dict.fromkeys(anchors, np.ones((1, 1), bool))
    assert list(neighbourhood(new, drawn, *bounds)) == stretches


# --- input ---

BAD = {
    "outside": (lambda o: dict(around={"a": [14]}), "Changed slice 14 of a does not lie within .* 0 to 13"),
    "negative": (lambda o: dict(around={"a": [-1]}), "Changed slice -1"),
    "in words": (lambda o: dict(around={"a": ["7"]}), "must be whole numbers"),
    "not a collection": (lambda o: dict(around={"a": 7}), "must be whole numbers"),
    "unknown segment": (lambda o: dict(around={"b": [7]}), "no segment of that name"),
    "range of an unknown segment": (lambda o: dict(slice_range={"b": (0, 9)}), "no segment of that name"),
    "range outside": (lambda o: dict(slice_range={"a": (0, 14)}), "do not lie within"),
    "anchor outside the range": (lambda o: dict(slice_range={"a": (0, 5)}), "leaves out annotated slice 7"),
    "no anchors": (lambda o: dict(segments={"a": {}}), "is empty"),
    "no anchors, new as a whole": (lambda o: dict(segments={"a": {}}, around={"a": None}), "is empty"),
    "anchor's shape": (lambda o: dict(segments={"a": {7: o.mask[7].T}}), "slices are"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_plain_sentence_and_harms_nothing(engine, organ, what):
    change, words = BAD[what]
    session = VolumeSession(engine, organ.image, modality="ct")
    with pytest.raises(InputError, match=words) as caught:
        session.propagate(**(dict(segments={"a": organ.anchors(7)}) | change(organ)))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert session.propagate({"a": organ.anchors(7)})["a"].mask.any()


def test_a_volume_that_cannot_be_used_is_refused(engine, organ):
    with pytest.raises(InputError, match="2 dimensions"):
        VolumeSession(engine, organ.image[0])
    with pytest.raises(InputError, match="must be 0, 1 or 2"):
        VolumeSession(engine, organ.image, axis=3)
    session = VolumeSession(engine, np.zeros_like(organ.image), modality="mr")
    with pytest.raises(InputError, match="same value everywhere"):
        session.propagate({"a": organ.anchors(7)})
