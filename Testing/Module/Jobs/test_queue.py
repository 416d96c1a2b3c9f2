"""Other volumes: a new segmentation for each, one after the other, whatever happens to one of them."""

from __future__ import annotations

import headless_slicer as headless
import job_cases
import numpy as np
import pytest
import scene_cases as cases
import slicer
from FewShotSegmentModule.jobs.job import JobError
from FewShotSegmentModule.jobs.outputs import freeOutput, stemOf
from FewShotSegmentModule.jobs.queue import Queue
from FewShotSegmentModule.scene import anchors, confidence, provenance, segments
from job_cases import until


@pytest.fixture
def support(logic):
    """[(volume, segmentation, None)] with a liver that has a color and a terminology entry."""
    volume, segmentation = job_cases.case()
    segmentation.GetSegmentation().GetSegment("Liver").SetTag("TerminologyEntry", "SCT^1^Liver")
    return [(volume, segmentation, None)]


def queue_of(logic, *names):
    """(queue, volumes)."""
    queue = Queue(logic)
    volumes = [cases.volume(name=name) for name in names]
    for volume in volumes:
        queue.addVolume(volume)
    return queue, volumes


def states(queue):
    return [item.state for item in queue.items]


# --- transfer of one ---


def found_in(logic, query, support):
    node = logic.transfer(query, support)
    return job_cases.mask_of(node, node.GetSegmentation().GetNthSegmentID(0), query)


def test_transfer_makes_a_new_segmentation(logic, support):
    query = cases.volume(cases.OBLIQUE, name="Other")
    moved = cases.transform(cases.affine((1, 1, 1), (5, 6, 7)))
    query.SetAndObserveTransformNodeID(moved.GetID())
    node = logic.transfer(query, support)
    assert node.GetName() == "Other – Liver" and node.GetTransformNodeID() == moved.GetID()
    segment_id = node.GetSegmentation().GetNthSegmentID(0)
    segment = node.GetSegmentation().GetSegment(segment_id)
    assert segment.GetName() == "Liver" and segment.GetColor() == pytest.approx((0.8, 0.4, 0.3))
    assert headless.segment_tags(segment, ["TerminologyEntry"]) == {"TerminologyEntry": "SCT^1^Liver"}
    mask = job_cases.mask_of(node, segment_id, query)
    assert mask.any() and mask[7, 15, 18]
    assert np.array_equal(mask, found_in(logic, cases.volume(cases.OBLIQUE, name="Elsewhere"), support))
    # exactly on the volume's grid: the transform is applied once, and edits need no resampling
    assert np.allclose(segments.ownGrid(node), cases.OBLIQUE)
    assert anchors.editedSlices(node, segment_id, query) == ()
    assert confidence.read(node, segment_id)[1][7] == pytest.approx(0.8)
    entry = provenance.read(node, segment_id)
    assert entry["settings"]["kind"] == "transfer" and set(entry["anchors"].values()) == {"found"}
    table = anchors.anchorsOf(node, segment_id, query)
    assert table.entries == {} and table.accepted  # edits from here on are corrections
    assert logic.transfer(query, support).GetName() != "Other – Liver"  # nothing is replaced


def test_library_entries_find_too(logic, support, fake):
    volume, segmentation, _ = support[0]
    (entry,) = logic.addToLibrary(volume, segmentation)
    case = fake.requests[-1].case
    assert case.segments[0].slices == [job_cases.SLICE] and case.segments[0].terminology == "SCT^1^Liver"
    node = logic.transfer(cases.volume(name="Other"), entries=[entry])
    assert node.GetName() == "Other – Liver"
    assert logic.removeFromLibrary([entry]) == [entry] and logic.libraryEntries() == []
    with pytest.raises(JobError, match="no entry"):
        logic.transfer(volume, entries=[entry])


def test_pictures_of_the_library_stay_until_the_next(logic, support):
    volume, segmentation, _ = support[0]
    logic.addToLibrary(volume, segmentation)
    (entry,) = logic.libraryEntries()
    assert np.load(entry["thumbnail"]).shape == (96, 128, 3)
    logic.libraryEntries()
    assert len([name for name in job_cases.files_of(logic) if "CT" not in name and "-" not in name]) == 1


def test_nothing_to_look_for(logic, fake):
    with pytest.raises(JobError, match="nothing to look for"):
        logic.transfer(cases.volume())
    assert not fake.requests


def test_a_volume_that_was_changed_meanwhile_gets_no_result(logic, support, scene):
    query = cases.volume(name="Other")
    job = logic.startTransfer(query, support)
    until(logic, lambda: job.state == "running")
    before = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    query.GetImageData().Modified()
    with pytest.raises(JobError, match="Other was changed meanwhile"):
        job.wait()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before


def test_nothing_found_makes_no_node(logic, support, fake, scene):
    absent(fake)
    count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    assert logic.transfer(cases.volume(name="Other"), support) is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count


def absent(fake):
    """Nothing is found from here on."""
    original = fake.answers.answer

    def answer(request, folder):
        made = original(request, folder)
        for segment in made.get("segments", ()):
            segment["found"] = False
        return made | {"notes": ["Liver was probably not found."]}

    fake.answers.answer = answer


# --- several ---


def test_one_that_fails_does_not_stop_the_others(logic, support, fake, scene):
    queue, volumes = queue_of(logic, "A", "B", "C", "D")
    told = []
    queue.finished.connect(lambda: told.append("finished"))
    queue.itemChanged.connect(told.append)
    queue.start(support)
    until(logic, lambda: queue.items[1].state == "running" and queue.items[1].progress is not None)
    assert states(queue) == ["done", "running", "waiting", "waiting"]
    scene.RemoveNode(volumes[1])
    scene.RemoveNode(volumes[2])
    until(logic, lambda: not queue.running)
    assert states(queue) == ["done", "cancelled", "failed", "done"]
    assert "removed" in queue.items[1].sentence and "not in the scene" in queue.items[2].sentence
    assert told[-1] == "finished" and told.count("finished") == 1
    assert queue.openResult(0) == (volumes[0], queue.items[0].resultNode)
    assert queue.openResult(1) == (None, None)
    assert len(fake.transports) == 1


def test_a_crash_costs_one_item(logic, support, fake):
    queue, _ = queue_of(logic, "A", "B")
    fake.behaviour.crash_after = 2
    queue.start(support)
    queue.wait()
    assert states(queue) == ["failed", "done"] and len(fake.transports) == 2


def test_cancel_item_cancel_all_retry_remove(logic, support):
    queue, _ = queue_of(logic, "A", "B", "C", "D")
    queue.start(support)
    queue.cancelItem(2)
    until(logic, lambda: queue.items[0].state == "running")
    queue.cancelItem(0)
    assert queue.items[0].state == "cancelled" and queue.running
    until(logic, lambda: queue.items[1].state == "done")
    queue.cancel()
    until(logic, lambda: not queue.running)
    assert states(queue) == ["cancelled", "done", "cancelled", "cancelled"]
    queue.retry(0)
    queue.retry(1)
    assert states(queue) == ["waiting", "done", "cancelled", "cancelled"]
    queue.remove(3)
    queue.start(support)
    queue.wait()
    assert states(queue) == ["done", "done", "cancelled"]
    queue.clear()
    assert queue.items == []


def test_supports_that_went_are_told(logic, support):
    queue = Queue(logic)
    queue.addVolume(cases.volume(name="B"))
    slicer.mrmlScene.RemoveNode(support[0][1])
    queue.start(support)
    until(logic, lambda: not queue.running)
    assert [item.sentence for item in queue.items] == [
        "The segmentation is not in the scene any more: choose another one."
    ]


def test_added_while_it_runs(logic, support):
    queue, _ = queue_of(logic, "A")
    queue.start(support)
    volume = cases.volume(name="Late")
    assert len(queue.addVolume(volume)) == 1
    assert queue.addVolume(volume) == []  # it waits already
    queue.wait()
    assert states(queue) == ["done", "done"]


def test_not_found(logic, support, fake):
    absent(fake)
    queue, _ = queue_of(logic, "A")
    queue.start(support)
    queue.wait()
    assert states(queue) == ["not found"] and "probably not found" in queue.items[0].sentence


def test_the_end_of_the_scene(logic, support, scene):
    queue, _ = queue_of(logic, "A", "B")
    queue.start(support)
    until(logic, lambda: queue.items[0].state == "running" and queue.items[0].progress is not None)
    scene.Clear(False)
    until(logic, lambda: not queue.running)
    assert states(queue) == ["cancelled", "failed"]


def test_a_folder_of_the_subject_hierarchy(logic, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patients")
    volume = cases.volume(name="Inside")
    hierarchy.CreateItem(folder, volume)
    cases.volume(name="Outside")
    queue = Queue(logic)
    assert [item.title for item in queue.addFolder(folder)] == ["Inside"]


# --- files ---


def test_files_are_written_beside_and_never_over(logic, support, tmp_path):
    path = headless.save(cases.volume(name="File"), tmp_path / "CT.nrrd")
    queue = Queue(logic)
    queue.addFiles([path])
    assert [(item.title, item.kind) for item in queue.items] == [("CT", "file")]
    queue.start(support)
    queue.wait()
    assert queue.items[0].state == "done" and queue.items[0].resultFile == str(tmp_path / "CT.seg.nrrd")
    queue.addFiles([path])
    (tmp_path / "out").mkdir()
    queue.start(support, outputFolder=str(tmp_path / "out"))
    queue.wait()
    assert queue.items[1].resultFile == str(tmp_path / "out" / "CT.seg.nrrd")
    assert freeOutput(path) == str(tmp_path / "CT 2.seg.nrrd")


def test_open_a_file_s_result(logic, support, tmp_path):
    volume = cases.volume(name="File")
    path = headless.save(volume, tmp_path / "File.nrrd")
    queue = Queue(logic)
    (item,) = queue.addFiles([path])
    item.state, item.resultFile = "done", str(tmp_path / "CT.seg.nrrd")
    headless.save(support[0][1], tmp_path / "CT.seg.nrrd")
    loaded, segmentation = queue.openResult(0)
    assert loaded.GetName().startswith("File") and segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert queue.openResult(0) == (loaded, segmentation)  # not loaded twice


@pytest.mark.parametrize(
    ("path", "stem"),
    [("/a/b.nii.gz", "b"), ("/a/b.c.nrrd", "b.c"), ("/a/b.seg.nrrd", "b"), ("/a/b.NII", "b"), ("b", "b")],
)
def test_stems(path, stem, tmp_path):
    assert stemOf(path) == stem
    (tmp_path / "study.v1").mkdir()
    assert stemOf(tmp_path / "study.v1") == "study.v1"


# --- frames ---


def test_frames_of_a_sequence(logic, support, scene, fake):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine")
    for number in range(3):
        frame = cases.volume(name="frame")
        sequence.SetDataNodeAtValue(frame, str(number))
        scene.RemoveNode(frame)
    before = set(job_cases.node_ids(scene))
    queue = Queue(logic)
    assert [item.title for item in queue.addVolume(sequence)] == [f"Cine, frame {n}" for n in (1, 2, 3)]
    queue.start(support)
    queue.wait()
    assert states(queue) == ["done"] * 3
    (result,) = {item.resultNode for item in queue.items}
    assert [result.GetNthIndexValue(n) for n in range(result.GetNumberOfDataNodes())] == ["0", "1", "2"]
    segmentation = result.GetNthDataNode(1)
    assert segmentation.GetSegmentation().GetNthSegment(0).GetName() == "Liver"
    assert provenance.readAll(segmentation)
    made = set(job_cases.node_ids(scene)) - before  # nothing is left of what was made on the way
    assert made - {"vtkMRMLSubjectHierarchyNode1"} == {result.GetID()}
    voxels = {request.query.key for request in fake.requests if request.kind == "transfer"}
    assert len(voxels) == 3
    assert len(job_cases.files_of(logic)) <= 3  # frames do not pile up
