"""Propagate where it cannot be done, and what goes wrong on the way: nothing is lost, and one sentence says so."""

from __future__ import annotations

import errno
import shutil
import tempfile

import job_cases
import numpy as np
import pytest
import scene_cases as cases
import slicer
from FewShotSegmentModule.jobs.job import JobCancelled, JobError
from FewShotSegmentModule.scene import anchors, voxels
from job_cases import turn, until

# --- what cannot be done ---


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda v, s: (None, s), "No volume is chosen"),
        (lambda v, s: (v, None), "No segmentation is chosen"),
        (lambda v, s: (v, cases.segmentation(v, {})), "There is no segment"),
        (lambda v, s: (v, cases.segmentation(v, {"Bare": None})), "Nothing is drawn in"),
        (lambda v, s: (slicer.mrmlScene.RemoveNode(v) or v, s), "not in the scene any more"),
    ],
)
def test_checked_before_anything_starts(logic, fake, prepare, sentence):
    volume, segmentation = prepare(*job_cases.case())
    with pytest.raises(JobError, match=sentence):
        logic.propagate(volume, segmentation)
    assert not fake.transports
    assert logic.lastErrors[-1].title == "Propagate" and logic.failures == logic.lastErrors


@pytest.mark.parametrize("when", ["asked", "accepting"])
def test_newer_edits_are_never_overwritten(logic, when):
    volume, segmentation = job_cases.case()
    edited = job_cases.drawn(6, 7)
    job = logic.startPropagation(volume, segmentation)
    until(logic, lambda: job.state == "running")
    if when == "asked":
        cases.draw(segmentation, volume, "Liver", edited)
    proposal = job.wait()
    if when == "accepting":
        assert proposal.valid
        cases.draw(segmentation, volume, "Liver", edited)
    assert not proposal.valid and "run it again" in proposal.problem
    with pytest.raises(JobError, match="Liver was changed after the run began: run it again"):
        logic.accept(proposal)
    assert np.array_equal(job_cases.mask_of(segmentation, "Liver", volume), edited)


def test_an_anchor_removed_meanwhile_is_an_edit_too(logic):
    """Else accepting the result would bring it back."""
    volume, segmentation = job_cases.accepted(logic, 4, 8)
    proposal = logic.propagate(volume, segmentation)
    anchors.removeAnchor(segmentation, "Liver", volume, 8)
    with pytest.raises(JobError, match="Liver was changed after the run began"):
        logic.accept(proposal)
    assert anchors.anchorsOf(segmentation, "Liver", volume).removed == {8}


def test_an_edit_that_was_undone_does_no_harm(logic):
    volume, segmentation = job_cases.case()
    proposal = logic.propagate(volume, segmentation)
    cases.draw(segmentation, volume, "Liver", job_cases.drawn(6, 7))
    cases.draw(segmentation, volume, "Liver", job_cases.drawn(6))
    assert proposal.valid


def test_another_segment_may_be_edited_meanwhile(logic):
    volume = cases.volume()
    segmentation = cases.segmentation(volume, {"Liver": job_cases.drawn(6), "Spleen": None})
    proposal = logic.propagate(volume, segmentation, ["Liver"])
    cases.draw(segmentation, volume, "Spleen", job_cases.drawn(11))
    assert proposal.valid
    logic.accept(proposal)
    assert np.array_equal(job_cases.mask_of(segmentation, "Spleen", volume), job_cases.drawn(11))


def test_the_volume_was_changed(logic):
    volume, segmentation = job_cases.case()
    job = logic.startPropagation(volume, segmentation)
    until(logic, lambda: job.state == "running")
    volume.GetImageData().Modified()
    with pytest.raises(JobError, match="CT was changed while it was propagated"):
        job.wait()
    assert len(job_cases.files_of(logic)) == 1


def test_a_moved_segmentation_is_another_one(logic):
    volume, segmentation = job_cases.case()
    proposal = logic.propagate(volume, segmentation)
    move = np.eye(4)
    move[2, 3] = 6
    segmentation.SetAndObserveTransformNodeID(cases.transform(move).GetID())
    assert not proposal.valid


def test_voxels_of_a_closed_scene_go(logic, scene):
    volume, segmentation = job_cases.case()
    logic.propagate(volume, segmentation)
    folder = logic.client.folder / "volumes"
    assert list(folder.iterdir())
    scene.Clear(False)
    logic.sceneClosed()
    assert not list(folder.iterdir())
    volume, segmentation = job_cases.case()
    assert logic.propagate(volume, segmentation).valid


def test_voxels_that_a_job_needs_stay_until_it_is_through(logic):
    volume, segmentation = job_cases.case()
    job = logic.startPropagation(volume, segmentation)
    until(logic, lambda: job.state == "running")
    logic.sceneClosed()
    folder = logic.client.folder / "volumes"
    assert list(folder.iterdir())
    assert job.wait().valid
    assert not list(folder.iterdir())


# --- what goes wrong in mid-run ---


@pytest.mark.parametrize("state", ["preparing", "running"])
@pytest.mark.parametrize("what", ["volume", "segmentation", "scene"])
def test_nodes_that_go(logic, scene, state, what):
    volume, segmentation = job_cases.case()
    quiet = job_cases.observers(scene)
    job = logic.startPropagation(volume, segmentation)
    told = []
    job.finished.connect(told.append)
    turn(logic, 2)
    until(logic, lambda: job.state == state and (state == "preparing" or job.progress is not None))
    if what == "scene":
        scene.Clear(False)
    else:
        scene.RemoveNode(volume if what == "volume" else segmentation)
    assert told == [job] and job.state == "cancelled"
    assert ("closed" if what == "scene" else "removed") in job.sentence
    assert job_cases.observers(scene) == quiet
    until(logic, lambda: not logic.client.busy)
    assert told == [job]
    with pytest.raises(JobCancelled):
        job.wait()


def test_cancel_answers_at_once_and_the_worker_stays(logic, fake):
    volume, segmentation = job_cases.case()
    job = logic.startPropagation(volume, segmentation)
    until(logic, lambda: job.progress is not None and job.progress.done == 2)
    assert job.progress.total == 5 and job.progress.secondsLeft == 1.5
    job.cancel()
    assert job.state == "cancelled" and job.sentence
    assert logic.propagate(volume, segmentation).valid
    assert len(fake.transports) == 1
    assert [request.kind for request in fake.requests] == ["propagate", "cancel", "propagate"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"crash_after": 2}, "ended|stopped|crash"),
        ({"missing_torch": True}, "PyTorch"),
        ({"not_started": True}, "start"),
        ({"fail": "Out of memory: close other programs."}, "Out of memory"),
    ],
)
def test_failures_are_one_sentence(logic, fake, trouble, words):
    volume, segmentation = job_cases.case()
    for name, value in trouble.items():
        setattr(fake.behaviour, name, value)
    with pytest.raises(JobError, match=words):
        logic.propagate(volume, segmentation)
    assert logic.lastErrors[-1].sentence and "\n" not in logic.lastErrors[-1].sentence
    fake.behaviour = type(fake.behaviour)()
    assert logic.propagate(volume, segmentation).valid


def test_a_full_disk_is_said(logic, fake, monkeypatch):
    volume, segmentation = job_cases.case()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(voxels, "writeVolumeSteps", full)
    with pytest.raises(JobError, match="No space left on device"):
        logic.propagate(volume, segmentation)
    assert not fake.requests


def test_no_temporary_folder_is_said(logic, fake, monkeypatch):
    volume, segmentation = job_cases.case()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(JobError, match="No space left on device"):
        logic.propagate(volume, segmentation)
    with pytest.raises(JobError, match="No temporary folder can be made: No space left on device"):
        logic.devices()
    assert not logic.busy and not logic.client.busy
    monkeypatch.undo()
    assert logic.devices()


@pytest.mark.parametrize("gone", [".", "volumes"])
def test_files_that_the_system_has_tidied_up_are_written_again(logic, gone):
    volume, segmentation = job_cases.accepted(logic)
    shutil.rmtree(logic.client.folder / gone)
    assert logic.propagate(volume, segmentation).valid
    assert len(job_cases.files_of(logic)) == 1


def test_a_mistake_of_ours_keeps_its_traceback(logic, fake, monkeypatch, caplog):
    volume, segmentation = job_cases.case()
    monkeypatch.setattr(fake.answers, "answer", lambda *_: {"segments": [{"key": "Liver"}], "notes": []})
    with pytest.raises(JobError, match="Copy diagnostics"):
        logic.propagate(volume, segmentation)
    assert "Traceback" in logic.lastErrors[-1].detail and "a job failed" in caplog.text


def test_closing_cancels_and_can_be_gone_on_from(logic, fake):
    volume, segmentation = job_cases.case()
    job = logic.startPropagation(volume, segmentation)
    until(logic, lambda: job.state == "running")
    logic.close()
    assert job.state == "cancelled" and not fake.transports[0].running
    assert logic.propagate(volume, segmentation).valid
