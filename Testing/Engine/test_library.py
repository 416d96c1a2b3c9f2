"""The support library: what goes in comes out bit for bit, nothing is lost, and no file that is read is trusted."""

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_cases import direction, to_image

from FewShotSegmentLib import FewShotError, InputError, OutputError
from FewShotSegmentLib.errors import LibraryError
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.preprocessing.intensity import IntensityScale
from FewShotSegmentLib.support import Support, SupportLibrary, SupportSlice, default_library_path, slice_geometry
from FewShotSegmentLib.support import archive as archives
from FewShotSegmentLib.support.lock import locked
from FewShotSegmentLib.support.record import pack


def make_support(name="Leber größe 肝", seed=0, indices=(2, 5), source=None, shape=(9, 20, 24)):
    rng = np.random.default_rng(seed)
    image = rng.normal(40, 60, shape).astype(np.float32)
    grid = Geometry.of_image(to_image(image, spacing=(0.71, 0.83, 2.5), matrix=direction(oblique=True)))
    slices = []
    for index in indices:
        mask = np.zeros(shape[1:], bool)
        mask[4:12, 6 : 12 + index % 5] = True
        slices.append(SupportSlice(image[index], mask, slice_geometry(grid, 0, index), index, shape[0]))
    return Support(
        name=name,
        color=(0.86, 0.4, 0.31),
        fields={"ID": "S1", "Name": name, "Tags": "TerminologyEntry:a~b^ö|"},
        modality="ct",
        intensity=IntensityScale(-160.0, 240.0, 1 / 3, 61.7),
        slices=tuple(slices),
        volume_id=hashlib.sha256(image.tobytes()).hexdigest()[:16],
        source=source,
        added="2024-05-06",
    )


def assert_same(a, b):
    for key in ("name", "color", "fields", "modality", "intensity", "volume_id", "source", "added"):
        assert getattr(a, key) == getattr(b, key)
    assert len(a.slices) == len(b.slices)
    for mine, theirs in zip(a.slices, b.slices, strict=True):
        assert (mine.index, mine.count, mine.geometry.shape) == (theirs.index, theirs.count, theirs.geometry.shape)
        assert (mine.image.dtype, mine.mask.dtype) == (theirs.image.dtype, theirs.mask.dtype)
        np.testing.assert_array_equal(mine.image, theirs.image)
        np.testing.assert_array_equal(mine.mask, theirs.mask)
        np.testing.assert_array_equal(mine.geometry.ijk_to_lps, theirs.geometry.ijk_to_lps)


@pytest.fixture
def library(tmp_path):
    return SupportLibrary(tmp_path / "data" / "library.fsslib")


@pytest.fixture
def filled(library):
    library.add([make_support(), make_support("Spleen", 1), make_support("liver", 2, (3,))])
    return library


def test_round_trip_is_bit_exact(library):
    supports = [make_support(), make_support("Spleen", 1, source="scan 7.nii.gz")]
    ids = library.add(supports)
    for mine, theirs in zip(supports, SupportLibrary(library.path).load(ids), strict=True):
        assert_same(mine, theirs)
        assert theirs.slices[0].image.flags.writeable
    first, second = library.entries()
    assert (first.id, first.name, first.slices, first.modality, first.added) == (
        ids[0],
        "Leber größe 肝",
        2,
        "ct",
        "2024-05-06",
    )
    assert (first.source, second.source) == (None, "scan 7.nii.gz")
    np.testing.assert_allclose(first.spacing, (2.5, 0.83, 0.71))


def test_same_content_same_bytes(tmp_path):
    files = [tmp_path / f"{n}.fsslib" for n in "ab"]
    for number, path in enumerate(files):
        SupportLibrary(path).add([make_support()])
        if number == 0:
            time.sleep(2.1)  # a zip counts time in steps of two seconds
        SupportLibrary(path).add([make_support("Spleen", 1)])
    assert files[0].read_bytes() == files[1].read_bytes()
    SupportLibrary(files[0]).add([make_support("Spleen", 3)])
    SupportLibrary(files[0]).remove([pack(make_support("Spleen", 3))[0].id])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_is_made_before_something_is_added(library):
    assert library.entries() == [] and library.load() == []
    for ask in (library.load, library.remove, library.select):
        with pytest.raises(LibraryError, match=r"is empty; add to it"):
            ask(["Liver"])
    assert library.add([]) == []
    assert not library.path.parent.exists()
    library.add([make_support()])
    assert [p.name for p in library.path.parent.iterdir()] == ["library.fsslib"]  # no lock, nothing temporary


def test_select_by_id_or_name_in_capitals_or_not(filled):
    ids = [entry.id for entry in filled.entries()]
    assert [s.name for s in filled.load(["LIVER", "leber GRÖSSE 肝"])] == ["Leber größe 肝", "liver"]
    assert [e.id for e in filled.select(["leber gro\u0308ße 肝"])] == ids[:1]  # o and dots as two letters
    assert [e.id for e in filled.select([ids[1].upper()])] == ids[1:2]
    assert len(filled.load()) == 3
    with pytest.raises(LibraryError) as caught:
        filled.load(["Spleen", "Kidney"])
    assert str(caught.value) == (
        f"There is no entry “Kidney” in the library library.fsslib; there are: Leber größe 肝 ({ids[0]}), "
        f"Spleen ({ids[1]}), liver ({ids[2]})."
    )


def test_the_same_again_is_left_out_and_another_drawing_is_not(filled):
    before = filled.path.read_bytes()
    assert filled.add([make_support()]) == []
    assert len(filled.notes) == 1 and filled.notes[0].startswith("Leber größe 肝 is in the library already, drawn in")
    assert filled.path.read_bytes() == before
    support = make_support()
    mask = support.slices[0].mask.copy()
    mask[0, 0] = True
    other = replace(support, slices=(replace(support.slices[0], mask=mask), support.slices[1]))
    (new,) = filled.add([other, other])
    assert len(filled.notes) == 1
    assert len(filled.entries()) == 4
    assert_same(filled.load([new])[0], other)
    assert_same(filled.load([filled.entries()[0].id])[0], support)


def test_remove(filled):
    first, second, third = filled.entries()
    assert [entry.id for entry in filled.remove(["spleen"])] == [second.id]
    assert [entry.id for entry in filled.entries()] == [first.id, third.id]
    assert f"entries/{second.id}.safetensors.gz" not in zipfile.ZipFile(filled.path).namelist()
    assert_same(filled.load([third.id])[0], make_support("liver", 2, (3,)))
    with pytest.raises(LibraryError, match="no entry “spleen”"):
        filled.remove(["liver", "spleen"])
    assert len(filled.entries()) == 2
    filled.remove([first.id, third.id])
    assert filled.entries() == []


def test_export_and_import(filled, tmp_path):
    handed = tmp_path / "handed.fsslib"
    assert [entry.name for entry in filled.export(handed, ["Spleen", "liver"])] == ["Spleen", "liver"]
    with pytest.raises(OutputError, match="exists already"):
        filled.export(handed)
    with pytest.raises(OutputError, match="no known ending; use one of .fsslib"):
        filled.export(tmp_path / "handed.zip")
    with pytest.raises(OutputError, match="one of the inputs"):
        filled.export(filled.path, force=True)
    other = SupportLibrary(tmp_path / "other" / "library.fsslib")
    other.add([make_support("Spleen", 1)])
    ids = other.import_from(handed)
    assert ids == [filled.entries()[2].id]
    assert len(other.notes) == 1 and other.notes[0].startswith("Spleen is in the library already")
    assert_same(other.load(ids)[0], make_support("liver", 2, (3,)))
    filled.export(handed, force=True)
    assert len(other.import_from(handed)) == 1
    assert {e.id for e in other.entries()} == {e.id for e in filled.entries()}
    with pytest.raises(LibraryError, match="There is no library"):
        other.import_from(tmp_path / "missing.fsslib")
    with pytest.raises(LibraryError, match="is empty"):
        SupportLibrary(tmp_path / "none.fsslib").export(tmp_path / "x.fsslib")
    assert not (tmp_path / "x.fsslib").exists()


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


@pytest.mark.parametrize("when", ["write", "replace"])
@pytest.mark.parametrize("what", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_the_old_file(filled, monkeypatch, when, what):
    before = filled.path.read_bytes()

    def fail(*_arguments, **_options):
        raise what

    if when == "write":
        monkeypatch.setattr(archives.os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    expected = KeyboardInterrupt if what is KeyboardInterrupt else OutputError
    with pytest.raises(expected, match=None if what is KeyboardInterrupt else "No space left on device"):
        filled.add([make_support("Kidney", 4)])
    monkeypatch.undo()
    assert filled.path.read_bytes() == before
    assert [p.name for p in filled.path.parent.iterdir()] == ["library.fsslib"]
    assert len(filled.add([make_support("Kidney", 4)])) == 1


ADD = """
import sys
sys.path[:0] = sys.argv[3:]
from test_library import SupportLibrary, make_support
library = SupportLibrary(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(12):
    library.add([make_support(f"{sys.argv[2]} {n}", n)])
"""


def test_two_processes_that_add_at_once_lose_nothing(library):
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", ADD, str(library.path)]
    runs = [
        subprocess.Popen(
            [*command, who, str(here), str(here.parents[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for who in "AB"
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    for run in runs:
        run.communicate(timeout=60)
        assert run.returncode == 0
    assert {e.name for e in library.entries()} == {f"{who} {n}" for who in "AB" for n in range(12)}
    assert len(library.load()) == 24
    assert [p.name for p in library.path.parent.iterdir()] == ["library.fsslib"]


def test_locks(filled):
    lock = filled.path.with_name("library.fsslib.lock")
    with locked(filled.path):
        assert lock.exists()
        with (
            pytest.raises(LibraryError, match=r"Another program is writing to the library library.fsslib; try again"),
            locked(filled.path, patience=0.1),
        ):
            pass
        assert lock.exists()
        assert len(filled.load()) == 3  # reading does not wait
    assert not lock.exists()


@pytest.mark.parametrize("left", ["dead", "old", "junk"])
def test_a_lock_left_behind_is_cleared(filled, left):
    lock = filled.path.with_name("library.fsslib.lock")
    if left == "dead":
        if os.name != "posix":
            pytest.skip("whether a process is alive is asked on POSIX only")
        import platform

        done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        lock.write_text(json.dumps({"host": platform.node(), "pid": int(done.stdout), "token": "x"}))
    else:
        lock.write_text(json.dumps({"host": "another", "pid": 1, "token": "x"}) if left == "old" else "")
        with (
            pytest.raises(LibraryError, match="Another program"),
            locked(filled.path, patience=0.1),
        ):
            pass
        long_ago = time.time() - 3600
        os.utime(lock, (long_ago, long_ago))
    assert len(filled.add([make_support("Kidney", 4)])) == 1
    assert [p.name for p in filled.path.parent.iterdir()] == ["library.fsslib"]


def test_what_could_not_be_read_again_is_not_kept(library):
    good = make_support()
    piece = good.slices[0]
    for wrong in (
        replace(good, slices=()),
        replace(good, slices=(replace(piece, mask=np.zeros_like(piece.mask)),)),
        replace(good, slices=(replace(piece, mask=piece.mask[1:]),)),
        replace(good, slices=(replace(piece, image=piece.image * np.nan),)),
        replace(good, modality="auto"),
    ):
        with pytest.raises(InputError, match="“Leber größe 肝” cannot be kept"):
            library.add([wrong])
    assert not library.path.exists()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch, what):
    """Simulated, since root may write anywhere."""

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    if what == "folder":
        monkeypatch.setattr(Path, "mkdir", refuse)
    else:
        monkeypatch.setattr(os, "open", refuse)
        monkeypatch.setattr("tempfile.mkstemp", refuse)
    path = tmp_path / "new" / "a.fsslib" if what == "folder" else tmp_path / "a.fsslib"
    with pytest.raises(OutputError, match="Permission denied"):
        SupportLibrary(path).add([make_support()])
    monkeypatch.undo()
    assert not path.exists() and not list(tmp_path.glob("*.fsslib*"))


def test_a_link_keeps_pointing_where_it_did(filled, tmp_path):
    link = tmp_path / "link.fsslib"
    try:
        link.symlink_to(filled.path)
    except OSError:
        pytest.skip("no links here")
    SupportLibrary(link).add([make_support("Kidney", 4)])
    assert link.is_symlink() and len(filled.entries()) == 4


def test_where_the_users_library_is(monkeypatch, tmp_path):
    monkeypatch.setenv("FEWSHOTSEGMENT_LIBRARY", str(tmp_path / "mine.fsslib"))
    assert SupportLibrary().path == default_library_path() == tmp_path / "mine.fsslib"
    monkeypatch.delenv("FEWSHOTSEGMENT_LIBRARY")
    path = default_library_path()
    assert path.name == "library.fsslib" and "FewShotSegment" in str(path.parent)


def test_a_library_is_listed_without_waiting_for_torch(filled):
    code = (
        "import sys; from FewShotSegmentLib.support import SupportLibrary\n"
        f"assert len(SupportLibrary({str(filled.path)!r}).entries()) == 3\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])


def test_library_errors_are_for_the_user():
    assert issubclass(LibraryError, FewShotError)
