"""Pieces of the worker, one by one."""

import ast
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from library_cases import make_support
from small_cases import make_organ
from worker_cases import Files

from FewShotSegmentLib.errors import Cancelled as Stopped
from FewShotSegmentLib.errors import InputError, OutputError
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.support import slice_geometry
from FewShotSegmentLib.weights import weights_folder
from FewShotSegmentLib.worker import folder, sessions, wording
from FewShotSegmentLib.worker import job as job_module
from FewShotSegmentLib.worker.answers import answer_files
from FewShotSegmentLib.worker.failures import answer_to
from FewShotSegmentLib.worker.job import Activity, Job
from FewShotSegmentLib.worker.messages import Cancelled, Devices, Failed
from FewShotSegmentLib.worker.serve import Server
from FewShotSegmentLib.worker.streams import Streams
from FewShotSegmentLib.worker.thumbnails import draw_thumbnail
from FewShotSegmentLib.worker.wording import for_panel, with_panel_notes


def test_the_client_needs_the_standard_library_alone():
    code = (
        "import sys; import FewShotSegmentLib.worker.client, json; "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'torch', 'SimpleITK', 'nrrd'})))"
    )
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []


# --- answers' files ---


def test_an_answer_is_there_as_a_whole_or_not_at_all(tmp_path):
    with answer_files(tmp_path, "1-ab") as files:
        mask = np.zeros((4, 5, 6), bool)
        mask[1:3, 2, 4:] = True
        name, origin = files.add_box(mask)
        assert not (tmp_path / "answers" / "1-ab").exists()
    assert origin == [1, 2, 4] and np.load(name).shape == (2, 1, 2) and np.load(name).all()
    for error, seen in [
        (Stopped(), Stopped),
        (OSError(errno.ENOSPC, "No space left"), OutputError),
        (KeyError(), KeyError),
    ]:
        with pytest.raises(seen), answer_files(tmp_path, "2") as files:
            files.add_box(np.zeros((2, 2, 2), bool))
            raise error
    with answer_files(tmp_path, "3"):
        pass  # no files, no folder
    assert [p.name for p in (tmp_path / "answers").iterdir()] == ["1-ab"]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\\b", ".hidden", "x" * 101, "a\n", "a.part"])
def test_nothing_is_written_outside_the_private_folder(tmp_path, name):
    private = tmp_path / "private"
    private.mkdir()
    with pytest.raises(InputError, match="id"), answer_files(private, name):
        pass
    assert list(tmp_path.rglob("*")) == [private]


def test_folders_of_programs_that_were_killed_are_removed(tmp_path, monkeypatch):
    """Patients' voxels are in them."""
    monkeypatch.setattr(folder.tempfile, "tempdir", str(tmp_path))
    mine = folder.PrivateFolder()
    assert mine.path.parent == tmp_path
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    pid = int(ended.stdout)
    orphan = tmp_path / mine.path.name.replace(str(os.getpid()), str(pid), 1)
    kept = {mine.path}
    for name in (f"fewshotsegment-{pid}-00000000-abc", "fewshotsegment-abc", f"fewshotsegment-{pid}", "other"):
        kept.add(tmp_path / name)
    for path in (orphan, *kept - {mine.path}):
        path.mkdir()
    other = folder.PrivateFolder()
    assert other.path.is_dir()  # made here
    assert {*tmp_path.iterdir()} == {*kept, other.path} and orphan not in kept
    other.remove()
    assert not other._path and mine.path.exists()
    made = mine.path
    mine.remove()
    assert {*tmp_path.iterdir()} == kept - {made}


@pytest.mark.skipif(os.name == "nt", reason="access is not told by the mode there")
def test_a_folder_that_was_tidied_up_is_made_again_as_private_as_before():
    own = folder.PrivateFolder()
    path = own.path
    shutil.rmtree(path)
    assert own.path == path and path.stat().st_mode & 0o777 == 0o700
    own.remove()
    assert not path.exists()


# --- sentences ---

LIBRARY = Path(folder.__file__).resolve().parents[1]
AT_A_COMMAND_LINE = {
    "cli",
    "demo",
    "episodes",
    "evaluation",
    "superpixels",
    "training",
    "job.py",
    "transfer_job.py",
    "transfer_report.py",
}
"""Rooms that no worker enters, or whose sentences are for developers."""
OPTION = re.compile(r"(?<![\w-])--[a-z]|“fewshotsegment ")


def said_by(source):
    """The texts of a module, what is filled in left out; docstrings are among them."""
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in node.values)
            yield "".join(part.value if isinstance(part, ast.Constant) else "weights.json" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def test_no_sentence_sends_a_panel_s_user_to_a_command_line():
    told = []
    for path in LIBRARY.rglob("*.py"):
        room = path.relative_to(LIBRARY).parts[0]
        if room not in AT_A_COMMAND_LINE and path.name not in ("__main__.py", "wording.py"):
            told += [text for text in said_by(path.read_text(encoding="utf-8")) if OPTION.search(text)]
    sentences = [text for text in told if text.rstrip().endswith((".", ": "))]
    assert len(sentences) > 5
    left = [text for text in sentences if OPTION.search(for_panel(text)) and "`" not in text]
    assert not left
    assert all(any(words in text for text in told) for words, _ in wording._WORDS)


def test_failures_and_notes_are_worded_for_a_panel():
    event = answer_to(InputError("The library a.fsslib is empty; add to it with “fewshotsegment library add”."), "1")
    assert event.sentence == "The library a.fsslib is empty; add a segment to it first."
    answer = {"notes": ["The last training failed; try a lower --learning-rate."], "n": 1}
    assert with_panel_notes(answer) == {
        "notes": ["The last training failed; correct more slices and try again."],
        "n": 1,
    }
    assert with_panel_notes({"n": 1}) == {"n": 1}


# --- progress and life ---


@pytest.fixture
def scene(monkeypatch, tmp_path):
    class Scene:
        def __init__(self):
            self.now, self.said = 0.0, []
            self.stop, self.activity = threading.Event(), Activity()

    made = Scene()
    monkeypatch.setattr(job_module.time, "monotonic", lambda: made.now)
    made.job = Job("1", tmp_path, sessions.Kept(), made.said.append, made.stop, made.activity)
    return made


def test_progress_is_said_ten_times_a_second_at_most_but_first_and_last_always(scene):
    scene.job.loading()
    for done in range(1001):
        scene.now += 0.01
        scene.job.progress(done, 1000, "propagating")
    said = scene.said[1:]
    assert said[0].done == 0 and said[0].seconds_left is None and said[-1].done == 1000 and said[-1].seconds_left == 0
    assert 80 <= len(said) <= 102
    halfway = min(said, key=lambda p: abs(p.done - 500))
    assert halfway.seconds_left == pytest.approx(5, rel=0.1)
    scene.job.progress(3, 7, "new")
    scene.job.progress(4, 7, "new")
    assert scene.said[-1].done == 3
    scene.job.flush()
    scene.job.flush()
    assert [p.done for p in scene.said[-2:]] == [3, 4]
    scene.job.progress(0, 0, "nothing to do")
    assert (scene.said[-1].done, scene.said[-1].total) == (1, 1)


def test_idleness_is_counted_beat_by_beat(scene):
    assert scene.activity.beat(2) == 0  # no work
    scene.activity.working = True
    assert [scene.activity.beat(2) for _ in range(3)] == [2, 4, 6]
    assert scene.job.stopping() is False and scene.activity.beat(2) == 8
    scene.job.progress(1, 2)
    assert [scene.activity.beat(2) for _ in range(2)] == [0, 2]
    scene.job.check_cancelled()
    assert scene.activity.beat(2) == 0
    scene.stop.set()
    with pytest.raises(Stopped):
        scene.job.check_cancelled()
    assert scene.job.cancelled() and scene.job.stopping()


# --- failures ---


class OutOfMemoryError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "words", "internal"),
    [
        (InputError("Draw it."), "Draw it.", False),
        (MemoryError(), "not enough memory", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "There is not enough memory", False),
        (OutOfMemoryError("CUDA out of memory"), "The device has not enough memory", False),
        (ModuleNotFoundError("No module named 'nrrd'", name="nrrd"), "pynrrd is not installed here", False),
        (ModuleNotFoundError("No module named 'FewShotSegmentLib.x'", name="FewShotSegmentLib.x"), "mistake", True),
        (PermissionError(errno.EACCES, "Permission denied", "x.nii"), "Permission denied (x.nii)", True),
        (ValueError("a\nb " + "c" * 500), "The engine made a mistake: a b ccc", True),
        (RuntimeError(), "made a mistake: RuntimeError;", True),
    ],
)  # fmt: skip
def test_every_failure_is_one_sentence(error, words, internal):
    failed = answer_to(error, "1")
    assert failed.id == "1" and words in failed.sentence and bool(failed.detail) == internal
    assert "\n" not in failed.sentence and failed.sentence.endswith((".", ")")) and len(failed.sentence) < 300
    assert answer_to(Stopped(), "1") == Cancelled("1")


# --- what stays ---


def test_the_last_two_volumes_are_kept(monkeypatch, engine, tmp_path):
    loaded = []
    monkeypatch.setattr("FewShotSegmentLib.engine.Engine.load", lambda *a, **k: loaded.append(a) or engine)
    kept, files, image = sessions.Kept(), Files(tmp_path), make_organ((4, 8, 9)).image
    monkeypatch.setattr("FewShotSegmentLib.devices.resolve_device", lambda device: {"auto": "cpu"}.get(device, device))
    assert kept.engine("cpu", None) is kept.engine("auto", None) and len(loaded) == 1
    first = [files.volume(image, key) for key in "abc"]

    def session(ref, axis=0):
        return kept.session(engine, ref, image, axis)

    a = session(first[0])
    b = session(first[1], 2)
    assert session(first[0]) is a and kept.volumes == 2
    assert session(replace(first[0], modality="mr")) is not a  # lets b go
    assert session(first[0]) is a and session(first[1], 2) is not b
    moved = [[2.0, 0, 0, 0], *first[0].ijk_to_lps[1:]]
    assert session(replace(first[0], ijk_to_lps=moved)) is not session(first[1], 2)
    assert session(first[0]) is not a  # other voxel sizes are another volume
    a = session(first[0])
    kept.forget(["b"])
    assert kept.volumes == 1 and session(first[0]) is a
    kept.forget([])
    assert kept.volumes == 0 and session(first[0]) is not a
    kept.engine("cuda", None)
    assert len(loaded) == 2 and kept.volumes == 0  # two models may not fit


def test_a_model_is_loaded_anew_where_only_its_refiner_is_another(monkeypatch, engine, tmp_path):
    """Fine-tuning leaves the propagator as it is, so its checksum alone does not tell weights apart."""
    loaded = []
    monkeypatch.setattr("FewShotSegmentLib.engine.Engine.load", lambda *a, **k: loaded.append(a) or engine)
    own = shutil.copytree(weights_folder(), tmp_path / "own")
    manifest = json.loads((own / "weights.json").read_text())
    kept = sessions.Kept()
    for _ in range(2):
        kept.engine("cpu", str(own))
    assert len(loaded) == 1
    manifest["weights"][1]["sha256"] = "0" * 64
    (own / "weights.json").write_text(json.dumps(manifest))
    kept.engine("cpu", str(own))
    assert len(loaded) == 2


def test_when_memory_runs_out_what_is_kept_is_let_go(monkeypatch, tmp_path):
    cleared = []

    def handle(request, job):
        monkeypatch.setattr(job.kept, "clear", lambda: cleared.append(request.id))
        raise MemoryError

    monkeypatch.setattr("FewShotSegmentLib.worker.handlers.handle", handle)
    answer = Server(Streams(-1, -1), tmp_path)._serve(Devices("7"), threading.Event())
    assert isinstance(answer, Failed) and "not enough memory" in answer.sentence and cleared == ["7"]


# --- pictures ---


AXES = [np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (2, 0, 1), (1, 2, 0))
        for signs in ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))]  # fmt: skip


@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pictures_show_the_patient_as_radiologists_do(axes, axis):
    """Values rise to the left, behind and up; of these, the two in the picture must run as they should."""
    shape = (9, 10, 12)
    matrix = np.eye(4)
    matrix[:3, :3] = axes.T * [1.0, 1.5, 2.0]
    place = np.stack(np.meshgrid(*(np.arange(n) for n in shape[::-1]), indexing="ij"))  # [xyz, i, j, k]
    world = np.tensordot(axes.T, place, 1).transpose(0, 3, 2, 1)  # [LPS, z, y, x]
    across = int(np.abs(axes[2 - axis]).argmax())
    right, up = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[across]
    geometry = slice_geometry(Geometry(shape, matrix), axis, 2)
    for values, direction in ((world[right], "right"), (world[up], "down" if up == 1 else "up")):
        stack = np.moveaxis(values.astype(np.float32), axis, 0)[2]
        support = make_support()
        piece = replace(support.slices[0], image=stack, mask=np.zeros(stack.shape, bool), geometry=geometry)
        scale = replace(support.intensity, low=float(stack.min()), high=float(stack.max()))
        picture = draw_thumbnail(replace(support, slices=(piece,), intensity=scale)).astype(int)[..., 0]
        step = {
            "right": picture[:, -1] - picture[:, 0],
            "down": picture[-1] - picture[0],
            "up": picture[0] - picture[-1],
        }
        assert (step[direction] == 255).all()
        assert max(picture.shape) == 128


def test_a_picture_outlines_what_is_drawn():
    support = make_support(indices=(2, 5, 8), shape=(9, 40, 40))
    picture = draw_thumbnail(support)
    color = np.rint(255 * np.array(support.color)).astype(np.uint8)
    outline = (picture == color).all(axis=2)
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    inside = outline[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]]
    assert outline[rows[0], columns[0] : columns[-1] + 1].all() and outline[rows[0] : rows[-1] + 1, columns[0]].all()
    assert not inside.any() and outline.sum() > 20
