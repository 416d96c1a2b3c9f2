"""A real worker carries masks as the engine does."""

from pathlib import Path

import numpy as np
from small_cases import make_organ
from worker_cases import SPACING, whole

from FewShotSegmentLib import __version__
from FewShotSegmentLib.worker.messages import LOADING, Forget, Propagate


def answers_folder(client):
    return sorted(path.name for path in (client.folder / "answers").glob("*"))


def test_propagates_as_the_engine_does_and_corrects_where_it_was_corrected(client, answer, files, small, engine):
    """Two segments on the same axis, one with a range; then a corrected slice."""
    other = np.roll(small.mask, 3, axis=2)
    volume = files.volume(small.image)
    first = files.segment(small.mask, 3)
    second = files.segment(other, 2, 4, key="s2", name="other", range=[1, 5])
    heard = []
    got = answer(Propagate("", volume, [first, second], "cpu"), on_progress=heard.append)
    expected = engine.propagate_segments(small.image, {"organ": {3: small.mask[3]}}, spacing=SPACING, modality="ct")
    expected |= engine.propagate_segments(
        small.image, {"other": {2: other[2], 4: other[4]}}, spacing=SPACING, modality="ct", slice_range=(1, 5)
    )
    assert [s["key"] for s in got["segments"]] == ["s1", "s2"]
    for segment, name in zip(got["segments"], ("organ", "other"), strict=True):
        np.testing.assert_array_equal(whole(segment, small.image.shape), expected[name].mask)
        assert segment["confidence"] == [float(c) for c in expected[name].slice_confidence]
        assert segment["renewed"] == [[0, 6]] and segment["axis"] == 0 and segment["found"]
        assert np.load(segment["file"], mmap_mode="r").size < small.image.size  # a box
        assert client.folder / "answers" in Path(segment["file"]).parents
    assert [s["anchors"] for s in got["segments"]] == [[3], [2, 4]]
    assert got["engine_version"] == __version__ and got["device"] == "cpu" and got["seconds"] > 0
    assert got["weights"] == {"name": engine.weights.name, "sha256": engine.weights.sha256}
    assert got["modality"] == {"used": "ct", "source": "given"} and got["notes"] == []

    assert heard[0].phase == LOADING and heard[0].seconds_left is None
    slices = [p for p in heard if p.phase == "propagating"]
    assert slices[-1].done == slices[-1].total > 5 and slices[0].seconds_left is None
    assert slices[-1].seconds_left == 0 and [p.done for p in slices] == sorted(p.done for p in slices)

    drawn = small.mask[5].copy()
    drawn[:18] = False
    corrected = small.mask.copy()
    corrected[5] = drawn
    third = files.segment(corrected, 3, 5, around=[5])
    heard.clear()
    renewed = answer(Propagate("", volume, [third], "cpu"), on_progress=heard.append)["segments"][0]
    anchors = {3: small.mask[3], 5: drawn}
    again = engine.propagate(small.image, anchors, spacing=SPACING, modality="ct")
    # below too: the last two anchors tell how the organ tapers
    assert renewed["renewed"] == [[0, 2], [4, 6]] and heard[-1].total <= 6
    mask = whole(renewed, small.image.shape)
    np.testing.assert_array_equal(mask[4:], again.mask[4:])
    np.testing.assert_array_equal(mask[:3], again.mask[:3])
    np.testing.assert_array_equal(mask[5], drawn)
    assert not mask[3].any()

    folder = Path(renewed["file"]).parent
    client.discard({"segments": [renewed]})
    assert not folder.exists() and Path(got["segments"][0]["file"]).exists()
    assert answer(Forget(keys=["v1"])) == {}


def test_segments_on_two_axes_at_once(answer, files, small, engine):
    requested = [
        files.segment(small.mask, 3, range=[2, 4]),
        files.segment(small.mask, 24, key="x", axis=2, range=[23, 25]),
    ]
    heard = []
    got = answer(Propagate("", files.volume(small.image, "v2"), requested, "cpu"), on_progress=heard.append)
    for segment, axis, bounds in zip(got["segments"], (0, 2), ((2, 4), (23, 25)), strict=True):
        index = requested[0].slices[0] if axis == 0 else 24
        mask = np.moveaxis(small.mask, axis, 0)[index]
        expected = engine.propagate(
            small.image, {index: mask}, axis=axis, spacing=SPACING, modality="ct", slice_range=bounds
        )
        np.testing.assert_array_equal(whole(segment, small.image.shape), expected.mask)
        assert segment["axis"] == axis and len(segment["confidence"]) == small.image.shape[axis]
    assert heard[-1].done == heard[-1].total


def test_cancels_within_one_slice_and_leaves_nothing(client, ask, answer, files):
    organ = make_organ()
    before = answers_folder(client)
    asked = []

    def stop(progress):
        if progress.phase == "propagating" and progress.done >= 1 and not asked:
            asked.append(progress.done)
            client.cancel(client._running)

    waiting = []
    request = Propagate("", files.volume(organ.image, "v3"), [files.segment(organ.mask, 7)], "cpu")
    ticket = ask(request, on_progress=stop, on_done=waiting.append)
    assert ticket.state == "cancelled" and waiting == []
    assert ticket.progress.done - asked[0] <= 1 and ticket.progress.total > 5
    assert answers_folder(client) == before
    pid = client.worker_info.pid
    assert answer(Forget()) == {} and client.worker_info.pid == pid


def test_what_cannot_be_used_is_one_sentence(client, ask, files, small, tmp_path):
    volume, segment = files.volume(small.image), files.segment(small.mask, 3)
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '|O'")
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    archive = tmp_path / "archive.npz"
    np.savez(archive, a=np.zeros((2, 3, 4)))
    before = answers_folder(client)

    def change(ref, **values):
        return type(ref)(**{**vars(ref), **values})

    cases = [
        (Propagate(), "nothing to propagate"),
        (Propagate("", volume), "nothing to propagate"),
        (Propagate("", change(volume, file=str(tmp_path / "none.npy")), [segment]), "cannot be read: No such file"),
        *((Propagate("", change(volume, file=str(f)), [segment]), "cannot be read") for f in (bad, pickled, archive)),
        (Propagate("", change(volume, file=files.save(np.zeros((3, 4)))), [segment]), "2 dimensions"),
        (Propagate("", change(volume, file=files.save(np.zeros((3, 4, 5), complex))), [segment]), "complex128"),
        (Propagate("", change(volume, file=files.save(np.zeros((0, 4, 5)))), [segment]), "3 dimensions|dimensions"),
        (Propagate("", change(volume, ijk_to_lps=[[1.0]]), [segment]), "4 × 4"),
        (Propagate("", change(volume, ijk_to_lps=[[0.0] * 4] * 3 + [[0, 0, 0, 1]]), [segment]), "no size"),
        (Propagate("", change(volume, modality="pet"), [segment]), "modality"),
        (Propagate("", volume, [change(segment, slices=[9])]), "does not lie within"),
        (Propagate("", volume, [change(segment, slices=[3, 4])]), "does not fit the volume"),
        (Propagate("", volume, [change(segment, axis=1)]), "does not fit the volume"),
        (Propagate("", volume, [change(segment, axis=5)]), "axis"),
        (Propagate("", volume, [change(segment, range=[4, 6])]), "leaves out annotated slice"),
        (Propagate("", volume, [change(segment, range=[4])]), "its first and its last"),
        (Propagate("", volume, [segment, segment]), "twice"),
        (Propagate("", volume, [files.segment(np.zeros_like(small.mask), 3)]), "is empty"),
        (Propagate("", volume, [segment], "abacus"), "no device"),
        (Propagate("", volume, [segment], "auto", "none-such"), "no weights"),
    ]
    for request, words in cases:
        ticket = ask(request)
        assert ticket.state == "failed" and ticket.failure.kind == "request", (request, ticket)
        text = ticket.failure.sentence
        assert any(word in text for word in words.split("|")), (words, text)
        assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    assert answers_folder(client) == before


def test_an_anchor_that_is_gone_leaves_nothing_where_it_was_alone(answer, files, small):
    got = answer(Propagate("", files.volume(small.image, "v9"), [files.segment(small.mask, around=[3])], "cpu"))
    (segment,) = got["segments"]
    assert segment["renewed"] == [[0, 6]] and np.load(segment["file"], mmap_mode="r").shape == (1, 1, 1)
    assert not whole(segment, small.image.shape).any()
