"""Writing a library: interrupted, by two at once, where nothing may be written; nothing is lost."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from library_cases import make_support

from FewShotSegmentLib import FewShotError, InputError, OutputError
from FewShotSegmentLib.errors import LibraryError
from FewShotSegmentLib.support import SupportLibrary, default_library_path
from FewShotSegmentLib.support import archive as archives
from FewShotSegmentLib.support.lock import locked


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
from library_cases import make_support
from FewShotSegmentLib.support import SupportLibrary
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
            [*command, who, str(here.parent), str(here.parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[3])


def test_library_errors_are_for_the_user():
    assert issubclass(LibraryError, FewShotError)
