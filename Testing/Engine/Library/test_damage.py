"""Libraries that are damaged, forged, newer or bombs: nothing that is read is trusted."""

import hashlib
import json
import os
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from library_cases import assert_same, make_support

from FewShotSegmentLib.errors import LibraryError
from FewShotSegmentLib.support import SupportLibrary


def rewrite(path, change=None, members=None, pack_as=zipfile.ZIP_DEFLATED):
    """The library with its JSON changed in place and members replaced (None: left out)."""
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    index = json.loads(content["library.json"])
    if change:
        change(index)
    content["library.json"] = json.dumps(index).encode()
    content |= members or {}
    with zipfile.ZipFile(path, "w", pack_as) as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)


def member(library, number=0):
    return f"entries/{library.entries()[number].id}.safetensors.gz"


def test_what_a_later_version_adds_is_kept(filled, tmp_path):
    def change(index):
        index["mood"] = "good"
        index["entries"][0]["rating"] = [5]

    rewrite(filled.path, change)
    assert_same(filled.load()[0], make_support())
    filled.add([make_support("Kidney", 4)])
    filled.export(tmp_path / "e.fsslib")
    for path in (filled.path, tmp_path / "e.fsslib"):
        index = json.loads(zipfile.ZipFile(path).read("library.json"))
        assert (index["mood"], index["entries"][0]["rating"]) == ("good", [5])


def test_a_newer_version_is_neither_read_nor_changed(filled):
    rewrite(filled.path, lambda index: index.update(version=2))
    before = filled.path.read_bytes()
    for ask in (filled.entries, filled.load, lambda: filled.add([make_support("x", 9)]), lambda: filled.remove(["x"])):
        with pytest.raises(
            LibraryError, match=r"written by a newer version of FewShotSegment; update FewShotSegment\."
        ):
            ask()
    assert filled.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"hello, world", b"\x1f\x8b\x08\x00"])
def test_what_is_no_library(tmp_path, content):
    path = tmp_path / "a.fsslib"
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="a.fsslib is not a library of FewShotSegment"):
        SupportLibrary(path).entries()
    for members in ({"word/document.xml": b"<x/>"}, {"library.json": b"{}"}, {"library.json": b"[1]"}):
        with zipfile.ZipFile(path, "w") as file:
            for name, data in members.items():
                file.writestr(name, data)
        with pytest.raises(LibraryError, match="is not a library"):
            SupportLibrary(path).add([make_support()])
    with pytest.raises(LibraryError, match="is a folder"):
        SupportLibrary(tmp_path).entries()


def test_damage_anywhere_is_one_sentence_or_does_no_harm(tmp_path):
    library = SupportLibrary(tmp_path / "a.fsslib")
    library.add([make_support()])
    whole = library.path.read_bytes()
    expected = library.load()[0]
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.choice(len(whole), 150, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        library.path.write_bytes(damaged)
        try:
            assert_same(library.load()[0], expected)  # a flag or a date of the zip that nobody reads
        except LibraryError as error:
            refused += 1
            assert str(error).startswith("The library a.fsslib is damaged") or "is not a library" in str(error)
    assert refused > 130
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        library.path.write_bytes(whole[:length])
        with pytest.raises(LibraryError, match="damaged or not complete; put back a copy|is not a library"):
            library.load()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.pop("slices"),
        lambda e: e.update(slices=[]),
        lambda e: e.update(name=7),
        lambda e: e.update(fields={"Tags": None}),
        lambda e: e.update(fields=[]),
        lambda e: e.update(modality="pet"),
        lambda e: e.update(color=[1, 2, 3]),
        lambda e: e.update(id="../../../tmp/x"),
        lambda e: e.update(sha256="0" * 64),
        lambda e: e.update(volume_id="Mustermann"),
        lambda e: e.update(added="yesterday"),
        lambda e: e["intensity"].update(low=float("nan")),
        lambda e: e["intensity"].update(deviation=0),
        lambda e: e["slices"].reverse(),
        lambda e: e["slices"][0].update(shape=[20, 25]),
        lambda e: e["slices"][0].update(shape=[20]),
        lambda e: e["slices"][0].update(shape=[10**6, 10**6]),
        lambda e: e["slices"][0].update(shape=[-20, -24]),
        lambda e: e["slices"][0].update(index=9),
        lambda e: e["slices"][0].update(index=True),
        lambda e: e["slices"][0].update(ijk_to_lps=[[0, 0, 0, 0]] * 3 + [[0, 0, 0, 1]]),
        lambda e: e["slices"][0].update(ijk_to_lps="x"),
    ],
)
def test_forged_records(filled, change):
    rewrite(filled.path, lambda index: change(index["entries"][0]))
    with pytest.raises(LibraryError, match="library.fsslib is damaged or not complete"):
        filled.load()


def test_the_same_entry_twice(filled):
    rewrite(filled.path, lambda index: index["entries"].append(index["entries"][0]))
    with pytest.raises(LibraryError, match="damaged"):
        filled.entries()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def packed(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def npy_with_pickle(path):
    np.save(path, np.array([Evil()], object), allow_pickle=True)
    return path.read_bytes()


@pytest.mark.parametrize("pack_it", [lambda data: data, packed])
def test_nothing_is_unpickled(filled, tmp_path, monkeypatch, pack_it):
    monkeypatch.chdir(tmp_path)
    for data in (pickle.dumps(Evil()), npy_with_pickle(tmp_path / "x.npy")):
        checksum = hashlib.sha256(data).hexdigest()
        rewrite(filled.path, lambda i, c=checksum: i["entries"][0].update(sha256=c), {member(filled): pack_it(data)})
        with pytest.raises(LibraryError, match="damaged"):
            filled.load()
    assert not (tmp_path / "evil").exists()


def test_other_arrays_than_said(filled):
    from safetensors.numpy import save

    good = make_support().slices
    arrays = {f"image{n}": piece.image for n, piece in enumerate(good)}
    arrays |= {f"mask{n}": piece.mask for n, piece in enumerate(good)}
    for wrong in (
        {**arrays, "image0": good[0].image.astype(np.float64)},
        {**arrays, "mask0": good[0].mask.astype(np.uint8)},
        {**arrays, "mask0": np.zeros_like(good[0].mask)},
        {**arrays, "image1": good[1].image[:-1]},
        {**arrays, "image1": np.full_like(good[1].image, np.nan)},
        {**arrays, "more": np.zeros(1, np.float32)},
        {key: value for key, value in arrays.items() if key != "mask1"},
    ):
        data = save(wrong)
        checksum = hashlib.sha256(data).hexdigest()
        rewrite(filled.path, lambda i, c=checksum: i["entries"][0].update(sha256=c), {member(filled): packed(data)})
        with pytest.raises(LibraryError, match=r"damaged or not complete \(entry"):
            filled.load()


@pytest.mark.parametrize("where", ["zip", "gzip", "json"])
def test_bombs_are_not_unpacked(filled, where, monkeypatch):
    """300 MB of zeros: refused before they fill the memory."""
    import tracemalloc

    zeros = bytes(300 * 2**20)
    members = {
        "zip": {member(filled): zeros},
        "gzip": {member(filled): packed(zeros)},
        "json": {"library.json": b"[" + zeros},
    }[where]
    rewrite(filled.path, members=members)
    del zeros, members
    assert filled.path.stat().st_size < 2 * 2**20
    tracemalloc.start()
    with pytest.raises(LibraryError, match="damaged"):
        filled.load()
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_json_nested_without_end(filled):
    rewrite(filled.path, members={"library.json": b"[" * 10**6})
    with pytest.raises(LibraryError, match="damaged"):
        filled.entries()


@pytest.mark.parametrize("instead", [b"junk", None])
def test_a_damaged_or_missing_entry_does_not_take_the_others_with_it(filled, tmp_path, instead):
    rewrite(filled.path, members={member(filled): instead})
    first, second, _ = filled.entries()
    with pytest.raises(LibraryError, match=f"entry {first.id}"):
        filled.load()
    assert_same(filled.load(["Spleen"])[0], make_support("Spleen", 1))
    with pytest.raises(LibraryError, match=f"entry {first.id}"):
        filled.export(tmp_path / "e.fsslib")
    other = SupportLibrary(tmp_path / "other.fsslib")
    with pytest.raises(LibraryError, match=f"entry {first.id}"):
        other.import_from(filled.path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]
    filled.remove([first.id])
    assert filled.entries()[0].id == second.id and len(filled.load()) == 2
