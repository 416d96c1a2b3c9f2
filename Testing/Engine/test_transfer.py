"""From one patient to another: the organ is found, however support and query are stored, and it is said how surely."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from small_cases import dice, direction, make_organ, to_image

from FewShotSegmentLib import Cancelled, FewShotError, InputError, Settings
from FewShotSegmentLib.images import Annotation, Geometry, Segment, Volume
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.support import collect_supports
from FewShotSegmentLib.transfer import METHODS, Transfer
from FewShotSegmentLib.transfer.query import BATCH

SETTINGS = Settings(long_side=96)  # as the engine's of these tests
TURNS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def support_of(image, mask, indices, geometry, axis=0, modality="ct"):
    """A support of some slices of a mask."""
    drawn = np.zeros(mask.shape, bool)
    for index in indices:
        np.moveaxis(drawn, axis, 0)[index] = np.moveaxis(mask, axis, 0)[index]
    volume = Volume(image, geometry, None, Path("v.nrrd"))
    annotation = Annotation([Segment("organ", (1.0, 0.0, 0.0), 1, {}, drawn, 1)], geometry, {}, Path("a.nrrd"))
    ((support,), _) = collect_supports(volume, annotation, axis=axis, modality=modality, settings=SETTINGS)
    return support


def turned(array, geometry, order, flips):
    """The same voxels of the world, in another order."""
    lps = np.eye(4)
    for a in range(3):
        lps[:3, 2 - a] = geometry.ijk_to_lps[:3, 2 - order[a]] * (-1 if flips[a] else 1)
    out = np.ascontiguousarray(np.flip(array.transpose(order), [a for a in range(3) if flips[a]]))
    return out, Geometry(out.shape, lps)


def back(array, order, flips):
    return np.flip(array, [a for a in range(3) if flips[a]]).transpose(np.argsort(order))


@pytest.fixture(scope="module")
def first():
    """The patient who was annotated."""
    return make_organ()


@pytest.fixture(scope="module")
def second():
    """The one who was not: another noise, and an organ of other place and shape."""
    return make_organ(seed=5, center=(7.5, 26, 25), radii=(4.2, 10, 12.5))


@pytest.fixture(scope="module")
def grid(first):
    return Geometry.of_image(to_image(first.image))


@pytest.fixture(scope="module")
def support(first, grid):
    return support_of(first.image, first.mask, [7], grid)


@pytest.fixture(scope="module")
def transfer(engine):
    return Transfer(engine)


@pytest.fixture(scope="module")
def base(transfer, second, grid, support):
    """What one annotated slice gives."""
    return transfer.run(second.image, grid, {"organ": [support]}, modality="ct")["organ"]


@pytest.fixture(scope="module")
def bare(transfer, second, grid, support):
    return transfer.run(second.image, grid, {"organ": [support]}, modality="ct", propagate=False)["organ"]


def one(transfer, image, geometry, supports, **options):
    return transfer.run(image, geometry, {"organ": supports}, **{"modality": "ct", **options})["organ"]


# --- the organ is found ----------------------------------------------------------------------------------------------


def test_one_slice_of_one_patient_is_the_organ_of_another(base, second, first):
    assert dice(base.mask, second.mask) > 0.93  # 0.98
    assert dice(first.mask, second.mask) < 0.8  # which is not for being in the same place
    assert base.found and base.confidence > 0.7
    truth = np.flatnonzero(second.mask.any((1, 2)))
    assert abs(base.slices[0] - truth[0]) <= 1 and abs(base.slices[-1] - truth[-1]) <= 1


def test_result_says_what_it_is(base, second):
    assert base.mask.dtype == bool and base.mask.shape == second.image.shape
    assert base.probability.dtype == np.float32 and base.probability.shape == second.image.shape
    assert base.probability.min() >= 0 and base.probability.max() <= 1
    np.testing.assert_array_equal(base.mask, base.probability > 0.5)
    assert base.slice_confidence.dtype == np.float32 and base.slice_confidence.shape == (len(second.image),)
    assert (base.slice_confidence >= 0).all() and (base.slice_confidence <= 1).all()
    filled = base.mask.any((1, 2))
    assert (base.slice_confidence[filled] <= np.float32(base.confidence)).all()
    assert base.slices == tuple(np.flatnonzero(filled))
    assert 0 <= base.confidence <= 1 and base.axis == 0 and base.seconds > 0
    (anchor,) = base.anchors
    assert (anchor.support, anchor.support_index) == (0, 7)
    assert base.mask[anchor.index].any() and second.mask[anchor.index].any()


def test_nobody_is_as_sure_of_an_anchor_as_of_a_drawn_slice(base):
    for anchor in base.anchors:
        assert base.slice_confidence[anchor.index] < 1


def test_three_slices(transfer, first, second, grid):
    three = support_of(first.image, first.mask, [4, 7, 9], grid)
    result = one(transfer, second.image, grid, [three])
    assert dice(result.mask, second.mask) > 0.93
    indices = [anchor.index for anchor in result.anchors]
    assert len(indices) == 3 and indices == sorted(set(indices))
    assert [anchor.support_index for anchor in result.anchors] == [4, 7, 9]


@pytest.fixture
def generous(engine, monkeypatch):
    """Volumes that are less sure than the best one have a say as well."""
    monkeypatch.setattr(engine, "settings", replace(engine.settings, volumes_within=0.5, anchors_within=0.5))


@pytest.fixture(scope="module")
def third():
    """Another patient's support: other pixels, slices, field of view and place in the world."""
    organ = make_organ((18, 56, 48), seed=6, center=(10, 25, 24), radii=(5, 12, 10))
    grid = Geometry.of_image(to_image(organ.image, spacing=(1.1, 0.9, 2.5), origin=(0.0, 0.0, -700.0)))
    return support_of(organ.image, organ.mask, [7, 12], grid)


@pytest.mark.usefixtures("generous")
def test_two_patients(transfer, second, grid, support, third):
    result = one(transfer, second.image, grid, [support, third])
    assert dice(result.mask, second.mask) > 0.9
    assert {anchor.support for anchor in result.anchors} == {0, 1}
    for anchor in result.anchors:
        assert anchor.support_index in ((7,), (7, 12))[anchor.support]


def test_the_bare_network_slice_by_slice(bare, second):
    assert dice(bare.mask, second.mask) > 0.75  # 0.88
    assert bare.anchors == () and bare.found
    assert bare.probability.dtype == np.float32 and bare.slice_confidence.shape == (14,)
    assert (bare.slice_confidence >= 0).all() and (bare.slice_confidence <= 1).all()
    np.testing.assert_array_equal(bare.mask, bare.probability > 0.5)
    assert bare.slices == tuple(np.flatnonzero(bare.mask.any((1, 2))))
    # each slice's own, times the mean of them all
    filled = bare.slice_confidence[list(bare.slices)]
    assert filled.mean() == pytest.approx(bare.confidence**2) and filled.std() > 0


def test_confidence_of_the_bare_network_means_what_it_says(transfer, bare, second, grid, support):
    without = np.where(second.mask, 40, second.image).astype(np.int16)
    absent = one(transfer, without, grid, [support], propagate=False)
    assert absent.found is (absent.confidence >= 0.5)
    for result in (bare, absent):
        assert (result.slice_confidence[list(result.slices)] <= np.float32(result.confidence) + 1e-6).all()


def test_a_bare_slice_does_not_know_of_its_neighbours(transfer, bare, second, grid, support):
    """The same values on the same grid: slice 7 is the same whatever lies above it, up to how batches are rounded."""
    image = second.image.copy()
    image[:3] = second.image[2::-1]
    result = one(transfer, image, grid, [support], propagate=False)
    np.testing.assert_allclose(result.probability[7], bare.probability[7], atol=1e-3)


@pytest.mark.parametrize("method", METHODS[1:])
def test_every_method(engine, method, second, grid, support):
    transfer = Transfer(engine, method)
    result = one(transfer, second.image, grid, [support])
    assert result.found and dice(result.mask, second.mask) > 0.9  # the propagator draws and completes: 0.98
    alone = one(transfer, second.image, grid, [support], propagate=False)
    assert alone.mask.shape == second.image.shape and np.isfinite(alone.probability).all()
    if method != "conditional":  # which knows nothing untrained
        assert dice(alone.mask, second.mask) > 0.75


def test_a_network_like_one_from_a_published_checkpoint(engine, second, grid, support):
    torch.manual_seed(0)
    network = build("alpnet", "resnet18")
    transfer = Transfer(engine, "alpnet", network)
    assert transfer.network is network and not network.training
    for propagate in (True, False):
        result = one(transfer, second.image, grid, [support], propagate=propagate)
        assert np.isfinite(result.slice_confidence).all() and np.isfinite(result.probability).all()
        assert result.mask.shape == second.image.shape


def test_phantoms(engine):
    pytest.importorskip("scipy")
    from FewShotSegmentLib.phantom import make_phantom

    shape, spacing = (20, 64, 64), (15.0, 5.5, 5.5)
    a, b = (make_phantom(shape, spacing, seed=seed) for seed in (1, 2))
    grid = Geometry(shape, np.diag([5.5, 5.5, 15.0, 1.0]))
    label = {name: value for value, name in a.names.items()}["liver"]
    areas = (a.labels == label).sum((1, 2))
    index = int(areas.argmax())
    result = one(Transfer(engine), b.image, grid, [support_of(a.image, a.labels == label, [index], grid)])
    assert result.found
    assert dice(result.mask, b.labels == label) > 0.6


# --- however they are stored -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "flips"), [TURNS[7], TURNS[19], TURNS[42]])
def test_a_support_of_another_orientation_gives_the_same(transfer, base, first, second, grid, order, flips):
    """Bit for bit: it is turned to the query's axes before the networks see it."""
    image, elsewhere = turned(first.image, grid, order, flips)
    mask, _ = turned(first.mask, grid, order, flips)
    axis = order.index(0)
    index = 13 - 7 if flips[axis] else 7
    result = one(transfer, second.image, grid, [support_of(image, mask, [index], elsewhere, axis)])
    np.testing.assert_array_equal(result.mask, base.mask)
    # the volume's mean is added up in another order
    np.testing.assert_allclose(result.probability, base.probability, atol=1e-4)
    assert [a.support_index for a in result.anchors] == [index]


@pytest.mark.parametrize(("order", "flips"), [TURNS[7], TURNS[19], TURNS[42]])
def test_a_query_of_another_orientation_gives_nearly_the_same(transfer, base, second, grid, support, order, flips):
    image, elsewhere = turned(second.image, grid, order, flips)
    result = one(transfer, image, elsewhere, [support])
    assert result.axis == order.index(0)
    assert result.mask.shape == image.shape and len(result.slice_confidence) == 14
    own = back(result.mask, order, flips)
    assert dice(own, second.mask) > 0.93
    assert dice(own, base.mask) > 0.95
    assert transfer.notes == []


def test_a_query_whose_axes_are_only_in_another_order_gives_the_same_bits(transfer, base, second, grid, support):
    image, elsewhere = turned(second.image, grid, (1, 2, 0), (False, False, False))
    result = one(transfer, image, elsewhere, [support])
    np.testing.assert_array_equal(np.moveaxis(result.probability, 2, 0), base.probability)
    np.testing.assert_array_equal(result.slice_confidence, base.slice_confidence)


def test_sagittal_slices_find_sagittal_slices(transfer, first, second, grid):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    image, truth = (np.ascontiguousarray(a[:, :, 10:42]) for a in (second.image, second.mask))
    result = one(transfer, image, Geometry.of_image(to_image(image)), [sagittal])
    assert result.axis == 2 and len(result.slice_confidence) == 32
    assert dice(result.mask, truth) > 0.75


def test_oblique_grids(transfer, base, first, second):
    matrix = direction(oblique=True, left_handed=True)
    grid = Geometry.of_image(to_image(first.image, matrix=matrix))
    result = one(transfer, second.image, grid, [support_of(first.image, first.mask, [7], grid)])
    np.testing.assert_array_equal(result.probability, base.probability)
    assert transfer.notes == []


def test_another_spacing_and_shape(transfer, second, grid, support):
    """Finer pixels, thinner slices and another field of view, there and back."""
    fine = make_organ((20, 64, 80), seed=7, center=(10.5, 33, 38))
    elsewhere = Geometry.of_image(to_image(fine.image, spacing=(0.7, 0.75, 2.1), origin=(300.0, 0.0, 0.0)))
    assert dice(one(transfer, fine.image, elsewhere, [support]).mask, fine.mask) > 0.9
    other = support_of(fine.image, fine.mask, [10], elsewhere)
    assert dice(one(transfer, second.image, grid, [other]).mask, second.mask) > 0.9


def test_a_query_of_one_slice(transfer, second, support):
    image = second.image[7:8]
    geometry = Geometry.of_image(to_image(image))
    for propagate in (True, False):
        result = one(transfer, image, geometry, [support], propagate=propagate)
        assert result.mask.shape == image.shape
        assert dice(result.mask, second.mask[7:8]) > 0.75


@pytest.mark.usefixtures("generous")
def test_supports_are_numbered_as_they_were_given(transfer, first, second, grid, support, third):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    result = one(transfer, second.image, grid, [support, sagittal, third])
    assert {anchor.support for anchor in result.anchors} == {0, 2}


def test_supports_on_different_planes_are_said(transfer, base, first, second, grid, support):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    result = one(transfer, second.image, grid, [support, sagittal])
    np.testing.assert_array_equal(result.probability, base.probability)
    assert transfer.notes == [
        "The supports of organ are drawn on different planes; those on the first one's plane are used."
    ]


# --- odd masks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [2, 3])
def test_an_organ_of_a_few_pixels(transfer, first, second, grid, pixels):
    mask = np.zeros(first.mask.shape, bool)
    mask[7, 23, 27 : 27 + pixels] = True
    for propagate in (True, False):
        result = one(transfer, second.image, grid, [support_of(first.image, mask, [7], grid)], propagate=propagate)
        assert np.isfinite(result.slice_confidence).all() and 0 <= result.confidence <= 1


def test_a_pixel_in_a_corner(transfer, first, second, grid):
    mask = np.zeros(first.mask.shape, bool)
    mask[7, 0, 0] = True
    result = one(transfer, second.image, grid, [support_of(first.image, mask, [7], grid)])
    assert np.isfinite(result.slice_confidence).all()


@pytest.mark.parametrize("method", METHODS)
def test_no_background_at_all(engine, method, first, second, grid):
    """A mask that covers its whole slice, on a query of four slices."""
    mask = np.zeros(first.mask.shape, bool)
    mask[7] = True
    support = support_of(first.image, mask, [7], grid)
    image = second.image[5:9]
    transfer, geometry = Transfer(engine, method), Geometry.of_image(to_image(image))
    for propagate in (True, False):
        result = one(transfer, image, geometry, [support], propagate=propagate)
        assert np.isfinite(result.probability).all() and np.isfinite(result.slice_confidence).all()
        assert result.mask.shape == image.shape


# --- what is not there -----------------------------------------------------------------------------------------------


def test_noise_holds_no_organ(transfer, second, grid, support):
    noise = np.random.default_rng(0).normal(0, 50, second.image.shape).astype(np.int16)
    result = one(transfer, noise, grid, [support])
    assert not result.found and result.confidence < 0.5
    assert not result.mask.any() and result.anchors == () and result.slices == ()
    assert result.probability.shape == noise.shape and not result.probability.any()
    np.testing.assert_allclose(result.slice_confidence, 1 - result.confidence)


def test_a_body_without_the_organ_is_much_less_sure_of_it(transfer, base, second, grid, support):
    without = np.where(second.mask, 40, second.image).astype(np.int16)
    result = one(transfer, without, grid, [support])
    assert result.confidence < base.confidence - 0.2
    assert result.mask.sum() < 0.05 * second.mask.sum()
    assert result.found is (result.confidence >= 0.5)


def test_slices_without_the_organ_stay_empty(transfer, first, grid, support):
    image = np.concatenate([first.image[:1]] * 6 + [first.image] + [first.image[-1:]] * 6)
    truth = np.concatenate([first.mask[:1]] * 6 + [first.mask] + [first.mask[-1:]] * 6)
    result = one(transfer, image, Geometry.of_image(to_image(image)), [support])
    assert dice(result.mask, truth) > 0.93
    assert not result.mask[:5].any() and not result.mask[-5:].any()


# --- how it is called ------------------------------------------------------------------------------------------------


def test_same_input_same_bits(engine, base, second, grid, support):
    again = one(Transfer(engine), second.image, grid, [support])
    assert again.probability.tobytes() == base.probability.tobytes()
    assert again.slice_confidence.tobytes() == base.slice_confidence.tobytes()
    assert (again.confidence, again.anchors) == (base.confidence, base.anchors)
    # parts without weights of their own come out the same at every start, and chance outside is left as it was
    torch.manual_seed(7)
    before = torch.get_rng_state()
    a, b = (Transfer(engine, "conditional").network.state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_segments_do_not_change_each_other(transfer, first, second, grid, support):
    image = np.ascontiguousarray(second.image[3:11, :, 14:38])
    geometry = Geometry.of_image(to_image(image))
    other = support_of(first.image, np.roll(first.mask, 9, 2), [6, 8], grid)
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    alone = {p: one(transfer, image, geometry, [support], propagate=p) for p in (True, False)}
    together = transfer.run(
        image, geometry, {"other": [other], "organ": [support], "side": [sagittal]}, modality="ct"
    )  # fmt: skip
    assert list(together) == ["other", "organ", "side"]
    assert [result.axis for result in together.values()] == [0, 0, 2]
    assert together["organ"].mask.any()
    apart = transfer.run(image, geometry, {"other": [other], "organ": [support]}, modality="ct", propagate=False)
    for expected, result in ((alone[True], together["organ"]), (alone[False], apart["organ"])):
        np.testing.assert_array_equal(result.probability, expected.probability)
        np.testing.assert_array_equal(result.slice_confidence, expected.slice_confidence)
        assert (result.anchors, result.confidence) == (expected.anchors, expected.confidence)


def test_features_are_computed_once_and_queries_in_batches(transfer, first, second, grid, support, monkeypatch):
    seen = []
    embed = transfer.network.embed
    monkeypatch.setattr(transfer.network, "embed", lambda images: seen.append(len(images)) or embed(images))
    three = support_of(first.image, first.mask, [4, 7, 9], grid)
    image = second.image[4:10]
    for propagate in (True, False):
        seen.clear()
        transfer.run(image, grid, {"a": [support], "b": [three]}, modality="ct", propagate=propagate)
        assert len(seen) == 1 + 3 + -(-6 // BATCH)
        assert sum(seen) == 1 + 3 + 6


def test_nothing_that_was_given_is_changed(transfer, second, grid, support):
    image, matrix = second.image.copy(), grid.ijk_to_lps.copy()
    pieces = [array.copy() for part in support.slices for array in (part.image, part.mask)]
    image.flags.writeable = False
    one(transfer, image, grid, [support], propagate=False)
    np.testing.assert_array_equal(image, second.image)
    np.testing.assert_array_equal(grid.ijk_to_lps, matrix)
    now = [array for part in support.slices for array in (part.image, part.mask)]
    for before, after in zip(pieces, now, strict=True):
        np.testing.assert_array_equal(before, after)


def test_probability_only_where_it_is_wanted(transfer, base, bare, second, grid, support):
    for propagate, expected in ((True, base), (False, bare)):
        result = one(transfer, second.image, grid, [support], propagate=propagate, keep_probability=False)
        assert result.probability is None
        np.testing.assert_array_equal(result.mask, expected.mask)
        np.testing.assert_array_equal(result.slice_confidence, expected.slice_confidence)


def progress_of(transfer, image, grid, segments, **options):
    seen = []
    transfer.run(image, grid, segments, modality="ct", progress=lambda *s: seen.append(s), **options)
    done, total = zip(*seen, strict=True)
    assert list(done) == sorted(done) and len(set(total)) == 1
    return done[-1], total[-1]


def test_progress_counts_up_to_the_end(transfer, first, second, grid, support):
    image = np.ascontiguousarray(second.image[5:9, :, 16:36])
    geometry = Geometry.of_image(to_image(image))
    done, total = progress_of(transfer, image, geometry, {"organ": [support]})
    assert done == total
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    done, total = progress_of(transfer, image, geometry, {"organ": [support], "side": [sagittal]})
    assert done == total


def test_progress_reaches_the_end_where_there_is_nothing_to_carry_on(transfer, second, grid, support):
    done, total = progress_of(transfer, second.image[5:9], grid, {"organ": [support]}, propagate=False)
    assert done == total
    noise = np.random.default_rng(0).normal(0, 50, (4, 48, 56)).astype(np.int16)
    done, total = progress_of(transfer, noise, grid, {"organ": [support]})
    assert done == total


def test_cancel_while_the_bare_network_works(transfer, second, grid, support):
    calls = []
    segments = {name: [support] for name in "abcd"}
    with pytest.raises(Cancelled):
        transfer.run(
            second.image[5:9], grid, segments, modality="ct", propagate=False,
            cancelled=lambda: calls.append(1) or len(calls) > 2,
        )  # fmt: skip


@pytest.mark.parametrize("after", [0, 2, 4, 5, 8])
def test_cancel(transfer, base, second, grid, support, after):
    calls = []
    with pytest.raises(Cancelled):
        one(transfer, second.image, grid, [support], cancelled=lambda: calls.append(1) or len(calls) > after)
    assert len(calls) == after + 1
    if after == 8:
        again = one(transfer, second.image, grid, [support])
        np.testing.assert_array_equal(again.probability, base.probability)


def test_another_modality_is_named(transfer, first, second, grid, support):
    image = (second.image + 150).astype(np.int16)
    one(transfer, image, grid, [support], modality="mr", propagate=False)
    assert transfer.modality == "mr"
    (note,) = transfer.notes
    assert note.startswith("The support of organ is CT, the volume is MR: organs look different there, so check")
    one(transfer, image, grid, [support], modality="auto", propagate=False)
    assert len(transfer.notes) == 2 and "look like MR" in transfer.notes[0]
    mr = support_of(first.image, first.mask, [7], grid, modality="mr")
    one(transfer, image, grid, [support, mr], modality="mr", propagate=False)
    assert "is CT, the volume is MR" in transfer.notes[0]
    one(transfer, image, grid, [mr], modality="mr", propagate=False)
    assert transfer.notes == []


def test_a_tilted_volume_is_named(transfer, first, second, support):
    c, s = np.cos(np.radians(40)), np.sin(np.radians(40))
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    grid = Geometry.of_image(to_image(second.image, matrix=matrix))
    one(transfer, second.image, grid, [support], propagate=False)
    (note,) = transfer.notes
    assert note.startswith("The support of organ is tilted by 40° against the volume's slices")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(volume=np.zeros((5, 6))), "2 dimensions"),
        (dict(volume=np.zeros((4, 48, 56))), "same value everywhere|no contrast"),
        (dict(volume=np.full((4, 48, 56), np.nan)), "no numbers"),
        (dict(segments={"Leber": []}), "no support for Leber"),
        (dict(modality="pet"), "“pet”"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(transfer, second, grid, support, change, words):
    given = {"volume": second.image, "segments": {"organ": [support]}, "modality": "ct"} | change
    with pytest.raises(FewShotError, match=words) as caught:
        transfer.run(given["volume"], grid, given["segments"], modality=given["modality"])
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_unknown_method(engine):
    with pytest.raises(InputError, match="no method “unet”; there are: dspnet, dspnet-published, alpnet"):
        Transfer(engine, "unet")


def test_no_segments_no_results(transfer, second, grid):
    assert transfer.run(second.image, grid, {}, modality="ct") == {}


def test_an_organ_out_of_view_does_not_stop_the_others(transfer, base, first, second, grid, support):
    """Both volumes are cropped about the body's middle, so that the one support's mask lies beyond the query's edge."""
    corner = np.zeros_like(first.mask)
    corner[7, :2, :2] = True
    small = np.ascontiguousarray(second.image[:, 12:36, 14:42])
    out = support_of(first.image, corner, [7], grid)
    smaller = Geometry(small.shape, grid.ijk_to_lps)
    results = transfer.run(small, smaller, {"corner": [out], "organ": [support]}, modality="ct")
    assert not results["corner"].found and not results["corner"].mask.any() and results["corner"].confidence == 0
    assert results["organ"].found
    assert any("corner" not in note and "do not overlap" in note for note in transfer.notes)
    bare = transfer.run(small, smaller, {"corner": [out]}, modality="ct", propagate=False)["corner"]
    assert not bare.found and not bare.mask.any() and bare.slice_confidence.shape == (14,)


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_turn_in_plane_is_undone(transfer, first, second, support, degrees):
    """The second patient lies turned on the same table: the world's directions say so."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    straight = to_image(second.image, spacing=(1.0, 1.0, 3.0))
    middle = straight.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in straight.GetSize()])
    turned = sitk.Image(80, 80, straight.GetSize()[2], sitk.sitkInt16)
    turned.SetSpacing((1.0, 1.0, 3.0))
    turned.SetDirection(matrix.ravel().tolist())
    offset = matrix @ (np.array([79, 79, straight.GetSize()[2] - 1]) / 2 * [1.0, 1.0, 3.0])
    turned.SetOrigin((np.array(middle) - offset).tolist())
    image = sitk.Resample(straight, turned, sitk.Transform(), sitk.sitkLinear, -100)
    mask = sitk.Resample(to_image(second.mask.astype(np.uint8)), turned, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    result = one(transfer, sitk.GetArrayFromImage(image), Geometry.of_image(image), [support])
    assert result.found and dice(result.mask, sitk.GetArrayFromImage(mask) > 0) > 0.9
    assert not any("tilted" in note for note in transfer.notes)
