"""Propagate, accept, correct: in a real scene, with a fake worker."""

from __future__ import annotations

import job_cases
import numpy as np
import pytest
import scene_cases as cases
import slicer
from FewShotSegmentModule.jobs.job import JobError
from FewShotSegmentModule.scene import anchors, confidence, provenance, review, voxels
from FewShotSegmentModule.scene.commit import LogicEditor


def segment_of(segmentation, segment_id="Liver"):
    return segmentation.GetSegmentation().GetSegment(segment_id)


# --- one run ---


def test_propose_then_accept(logic):
    volume, segmentation = job_cases.case()
    before = job_cases.mask_of(segmentation, "Liver", volume)
    proposal = logic.propagate(volume, segmentation)
    assert np.array_equal(job_cases.mask_of(segmentation, "Liver", volume), before)
    assert proposal.valid and list(proposal.results) == ["Liver"]
    result = proposal.results["Liver"]
    proposed = cases.whole((result.mask, result.origin))
    assert np.array_equal(proposed[job_cases.SLICE], before[job_cases.SLICE])
    assert proposed.sum() > 3 * before.sum()

    logic.accept(proposal)
    assert np.array_equal(job_cases.mask_of(segmentation, "Liver", volume), proposed)
    assert not proposal.valid
    with pytest.raises(JobError, match="accepted or rejected already"):
        logic.accept(proposal)


def test_what_is_kept_with_an_accepted_segment(logic):
    volume, segmentation = job_cases.accepted(logic)
    table = anchors.anchorsOf(segmentation, "Liver", volume)
    assert table.entries == {job_cases.SLICE: anchors.HAND}
    axis, values = confidence.read(segmentation, "Liver")
    assert axis == 0 and values[job_cases.SLICE] == 1 and values[0] < values[5] < 1
    entry = provenance.read(segmentation, "Liver")
    assert entry["engine"] == "0.0.fake" and entry["weights"]["sha256"] == "ab" * 32
    assert entry["anchors"] == {str(job_cases.SLICE): "hand"} and entry["device"] == "cpu"
    assert entry["settings"] == {"kind": "propagate", "modality": "ct", "modalitySource": "guessed"}
    assert review.status(segmentation, "Liver") == "in progress"


@pytest.mark.parametrize("status", ["completed", "flagged"])
def test_a_status_is_not_lowered(logic, status):
    volume, segmentation = job_cases.case()
    proposal = logic.propagate(volume, segmentation)
    review.setStatus(segmentation, "Liver", status)
    logic.accept(proposal)
    assert review.status(segmentation, "Liver") == status


def test_one_undo_step_brings_back_all(logic):
    volume, segmentation = job_cases.case()
    before = job_cases.mask_of(segmentation, "Liver", volume)
    editor = LogicEditor(segmentation, volume)
    logic.accept(logic.propagate(volume, segmentation), editor)
    editor.undo()
    assert np.array_equal(job_cases.mask_of(segmentation, "Liver", volume), before)
    assert not anchors.hasTable(segmentation, "Liver", volume)
    assert confidence.read(segmentation, "Liver") is None
    editor.redo()
    assert anchors.hasTable(segmentation, "Liver", volume)


def test_several_segments_are_one_request(logic, fake):
    volume = cases.volume()
    segmentation = cases.segmentation(
        volume, {"Liver": job_cases.drawn(6), "Spleen": job_cases.drawn(4), "Empty": None}
    )
    proposal = logic.propagate(volume, segmentation, ranges={"Spleen": (3, 8)})
    (request,) = fake.requests
    assert [segment.key for segment in request.segments] == ["Liver", "Spleen"]
    assert [segment.range for segment in request.segments] == [None, [3, 8]]
    assert set(proposal.results) == {"Liver", "Spleen"}
    spleen = proposal.results["Spleen"]
    assert spleen.origin[0] >= 3 and spleen.origin[0] + len(spleen.mask) <= 9
    logic.reject(proposal)


def test_what_the_worker_is_given(logic, fake):
    volume, segmentation = job_cases.case(5, 8)
    segment_of(segmentation).SetTag("TerminologyEntry", "SCT^1^Liver")
    volume.SetAttribute("DICOM.Modality", "MR")
    kept = {}
    original = fake.answers.answer

    def answer(request, folder):
        kept["voxels"] = np.load(request.volume.file)
        kept["masks"] = np.load(request.segments[0].file)
        return original(request, folder)

    fake.answers.answer = answer
    logic.propagate(volume, segmentation, device="cuda:1", weights="mine")
    (request,) = fake.requests
    assert np.array_equal(kept["voxels"], slicer.util.arrayFromVolume(volume))
    assert np.array_equal(kept["masks"], job_cases.drawn(5, 8)[[5, 8]])
    assert request.volume.modality == "mr" and request.volume.name == "CT"
    lps = np.array(request.volume.ijk_to_lps)
    assert np.allclose(lps, np.diag([-1, -1, 1, 1]) @ cases.PLAIN)
    (segment,) = request.segments
    assert segment.slices == [5, 8] and segment.axis == 0 and segment.terminology == "SCT^1^Liver"
    assert (request.device, request.weights) == ("cuda:1", "mine")


def test_files_are_gone_but_the_volume_s(logic, fake):
    volume, segmentation = job_cases.accepted(logic)
    assert job_cases.files_of(logic) == [f"1-{voxels.volumeKey(volume)}.npy"]
    folder = logic.client.folder
    logic.propagate(volume, segmentation)
    assert job_cases.files_of(logic) == [f"1-{voxels.volumeKey(volume)}.npy"]  # written once
    array = slicer.util.arrayFromVolume(volume)
    array += 1
    slicer.util.arrayFromVolumeModified(volume)
    logic.propagate(volume, segmentation)
    assert job_cases.files_of(logic) == [f"2-{voxels.volumeKey(volume)}.npy"]
    assert [request.kind for request in fake.requests] == ["propagate", "propagate", "forget", "propagate"]
    assert fake.requests[2].keys == [fake.requests[0].volume.key]
    logic.close()
    assert not folder.exists()


# --- correct ---


def test_correct_renews_the_neighborhood_only(logic, fake):
    volume, segmentation = job_cases.accepted(logic, 3, 6, 9)
    before = job_cases.mask_of(segmentation, "Liver", volume)
    sure = confidence.read(segmentation, "Liver")[1]
    mask = before.copy()
    mask[10] = 0
    mask[10, 10:16, 10:20] = 1
    cases.draw(segmentation, volume, "Liver", mask)
    proposal = logic.propagate(volume, segmentation, correct=True)
    (segment,) = fake.requests[-1].segments
    assert segment.slices == [3, 6, 9, 10] and segment.around == [10]
    logic.accept(proposal)
    after = job_cases.mask_of(segmentation, "Liver", volume)
    assert np.array_equal(after[:11], mask[:11])
    assert not np.array_equal(after[11:], before[11:])
    table = anchors.anchorsOf(segmentation, "Liver", volume)
    assert table.entries == {3: "hand", 6: "hand", 9: "hand", 10: "corrected"}
    values = confidence.read(segmentation, "Liver")[1]
    assert np.array_equal(values[:10], sure[:10]) and values[10] == 1
    assert provenance.read(segmentation, "Liver")["settings"]["around"] == [10]


def test_correct_a_loaded_segmentation(logic, fake):
    volume = cases.volume()
    segmentation = cases.segmentation(volume, {"Liver": cases.ellipsoid()})
    logic.adopt(volume, segmentation)
    mask = cases.ellipsoid()
    mask[7, 5:9, 5:9] = 1
    cases.draw(segmentation, volume, "Liver", mask)
    logic.accept(logic.propagate(volume, segmentation, correct=True))
    assert fake.requests[-1].segments[0].around == [7]
    assert anchors.anchorsOf(segmentation, "Liver", volume).entries == {7: "corrected"}
    assert confidence.read(segmentation, "Liver")[1][7] == 1


def test_nothing_was_changed(logic, fake):
    volume, segmentation = job_cases.accepted(logic)
    with pytest.raises(JobError, match="No slice was changed since the last result"):
        logic.propagate(volume, segmentation, correct=True)
    assert len(fake.requests) == 1


def test_what_a_result_overwrites_of_another_segment_is_no_correction_of_it(logic):
    """By the user's rules; their own edits of the other segment stay corrections."""
    volume = cases.volume()
    segmentation = cases.segmentation(
        volume, {"Liver": job_cases.drawn(6), "Spleen": np.roll(job_cases.drawn(6), 8, axis=2)}
    )
    logic.accept(logic.propagate(volume, segmentation, ["Spleen"]))
    edited = job_cases.mask_of(segmentation, "Spleen", volume)
    edited[4, 2:5, 2:5] = 1
    cases.draw(segmentation, volume, "Spleen", edited)
    node = slicer.mrmlScene.AddNode(slicer.vtkMRMLSegmentEditorNode())
    node.SetOverwriteMode(node.OverwriteAllSegments)
    editor = LogicEditor(segmentation, volume, node)
    logic.accept(logic.propagate(volume, segmentation, ["Liver"]), editor)
    assert not np.array_equal(job_cases.mask_of(segmentation, "Spleen", volume), edited)
    assert anchors.editedSlices(segmentation, "Spleen", volume) == (4,)
    editor.undo()
    assert np.array_equal(job_cases.mask_of(segmentation, "Spleen", volume), edited)
    assert anchors.editedSlices(segmentation, "Spleen", volume) == (4,)


def test_only_changed_segments_are_corrected(logic, fake):
    volume = cases.volume()
    segmentation = cases.segmentation(volume, {"Liver": job_cases.drawn(6), "Spleen": job_cases.drawn(4)})
    logic.accept(logic.propagate(volume, segmentation))
    mask = job_cases.mask_of(segmentation, "Spleen", volume)
    mask[5, 12:18, 12:18] = 1 - mask[5, 12:18, 12:18]
    cases.draw(segmentation, volume, "Spleen", mask)
    proposal = logic.propagate(volume, segmentation, correct=True)
    assert list(proposal.results) == ["Spleen"]


def test_a_removed_anchor_is_propagated_again(logic, fake):
    volume, segmentation = job_cases.accepted(logic, 4, 8)
    anchors.removeAnchor(segmentation, "Liver", volume, 8)
    logic.accept(logic.propagate(volume, segmentation, correct=True))
    (segment,) = fake.requests[-1].segments
    assert segment.slices == [4] and segment.around == [8]
    assert anchors.anchorsOf(segmentation, "Liver", volume).entries == {4: "hand"}


# --- preview ---


def test_preview_comes_and_goes(logic, scene):
    volume, segmentation = job_cases.case()
    count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    proposal = logic.propagate(volume, segmentation)
    proposal.showPreview(0.4, True, False)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count + 1
    assert proposal.preview.node.GetDisplayNode().GetOpacity2DFill() == pytest.approx(0.4)
    proposal.showPreview(0.4, False, False)
    assert proposal.preview.node.GetDisplayNode().GetOpacity2DFill() == 0
    logic.reject(proposal)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count
    proposal.showPreview()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count


def test_a_proposal_outlives_its_nodes(logic, scene):
    volume, segmentation = job_cases.case()
    proposal = logic.propagate(volume, segmentation)
    proposal.showPreview()
    scene.Clear(False)
    assert proposal.volumeNode is None and proposal.segmentationNode is None and not proposal.valid
    proposal.discard()
