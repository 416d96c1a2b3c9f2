"""The cache: nothing made twice, nothing of other settings taken, damage noticed."""

import numpy as np
import pytest
from superpixel_cases import SPACING

from FewShotSegmentLib import OutputError
from FewShotSegmentLib.superpixels import SuperpixelCache, SuperpixelSettings, cache, make_superpixels


@pytest.fixture
def counted(monkeypatch):
    made = []

    def make(*arguments):
        made.append(arguments)
        return make_superpixels(*arguments)

    monkeypatch.setattr(cache, "make_superpixels", make)
    return made


def test_the_second_time_it_is_there(tmp_path, body_ct, counted):
    store = SuperpixelCache(tmp_path / "a" / "b")
    first = store.get(body_ct, SPACING, "ct")
    second = SuperpixelCache(tmp_path / "a" / "b").get(body_ct, SPACING, "ct")
    assert len(counted) == 1 and not store.notes
    assert (first.labels == second.labels).all() and (first.body == second.body).all()
    assert second.labels.dtype == np.int32 and second.settings == first.settings and second.counts == first.counts


def test_what_differs_is_made(tmp_path, body_ct, counted):
    store = SuperpixelCache(tmp_path)
    other = body_ct.copy()
    other[0, 0, 0] += 1
    for given in [
        (body_ct, SPACING, "ct"),
        (other, SPACING, "ct"),
        (body_ct, (4.0, 1.5, 1.6), "ct"),
        (body_ct, SPACING, "mr"),
        (body_ct, SPACING, "ct", SuperpixelSettings(scale=2)),
        (body_ct, SPACING, "ct", None, 1),
        (body_ct.astype(np.int32), SPACING, "ct"),
    ]:
        store.get(*given)
    assert len(counted) == len(list(tmp_path.iterdir())) == 7


def damages(path):
    whole = path.read_bytes()
    yield b""
    yield whole[: len(whole) // 2]
    yield b"text" * 100
    for at in range(40, len(whole), len(whole) // 12):
        yield whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]


def test_damage_is_noticed_and_mended(tmp_path, body_ct, counted):
    store = SuperpixelCache(tmp_path)
    right = store.get(body_ct, SPACING, "ct")
    (path,) = tmp_path.iterdir()
    noticed = 0
    for damaged in damages(path):
        path.write_bytes(damaged)
        store.notes.clear()
        assert (store.get(body_ct, SPACING, "ct").labels == right.labels).all()
        noticed += len(store.notes)
        assert all("made anew" in note for note in store.notes)
    assert noticed >= 8
    assert not [p for p in tmp_path.iterdir() if p != path]  # nothing half written stays


def test_an_entry_under_a_wrong_name_is_not_used(tmp_path, body_ct, counted):
    store = SuperpixelCache(tmp_path)
    store.get(body_ct, SPACING, "ct", SuperpixelSettings(min_size=60))
    (first,) = tmp_path.iterdir()
    right = store.get(body_ct, SPACING, "ct")
    (second,) = set(tmp_path.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert (store.get(body_ct, SPACING, "ct").labels == right.labels).all()
    assert "of another image or settings" in store.notes[0] and len(counted) == 3


def test_pickles_are_not_read(tmp_path, body_ct, counted):
    store = SuperpixelCache(tmp_path)
    store.get(body_ct, SPACING, "ct")
    (path,) = tmp_path.iterdir()
    np.savez(path, identity=np.array([{}], dtype=object), labels=np.array([print], dtype=object))
    store.get(body_ct, SPACING, "ct")
    assert len(counted) == 2 and "damaged" in store.notes[0]


def test_a_file_for_a_folder_is_said(tmp_path, body_ct):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        SuperpixelCache(tmp_path / "file" / "x").get(body_ct, SPACING, "ct")
