"""How a transfer is called: repeats, progress, cancelling, notes and what cannot be used."""

import numpy as np
import pytest
import torch
from small_cases import to_image
from transfer_cases import one, support_of

from FewShotSegmentLib import Cancelled, FewShotError, InputError
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.transfer import Transfer
from FewShotSegmentLib.transfer.query import BATCH


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
