"""The support library: what goes in comes out bit for bit, by name, and is handed on."""

import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from library_cases import assert_same, make_support

from FewShotSegmentLib import OutputError
from FewShotSegmentLib.errors import LibraryError
from FewShotSegmentLib.support import SupportLibrary
from FewShotSegmentLib.support.record import pack


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
