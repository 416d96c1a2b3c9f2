"""The queue of volumes: fill, run, fail, retry, cancel, open."""

from __future__ import annotations

import numpy as np
import pytest
from panel_bench import Bench, rows


@pytest.fixture
def bench(application, scene):
    with Bench(application) as made:
        yield made


@pytest.fixture
def both(bench):
    """(library, queue) with this scene's segments chosen as supports."""
    from FewShotSegmentModule.panels.libraryPanel import LibraryPanel
    from FewShotSegmentModule.panels.volumesPanel import VolumesPanel

    bench.annotate(("Liver",))
    made = bench.open(LibraryPanel, VolumesPanel)
    bench.wait()
    made[0].ui.sceneSupportsCheckBox.click()
    return made


@pytest.fixture
def panel(both):
    return both[1]


def states(panel):
    return [item.state for item in panel.queue.items]


def run(bench, panel):
    bench.wait(lambda: not panel.queue.running)


def select(panel, row):
    panel.ui.queueTable.selectRow(row)


def test_why_it_cannot_start_is_said(bench, both, press):
    library, panel = both
    assert not panel.ui.startButton.enabled and "Add volumes" in panel.ui.startButton.toolTip
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    assert panel.ui.startButton.enabled
    library.ui.sceneSupportsCheckBox.click()
    assert not panel.ui.startButton.enabled and "Tick" in panel.ui.startButton.toolTip


def test_the_annotated_volume_is_not_added(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    assert [item.title for item in panel.queue.items] == ["Huber CT"]
    press(panel.ui.addSceneButton)
    assert len(panel.queue.items) == 1 and "in the queue already" in panel.ui.queueLabel.text


def test_three_volumes_of_which_one_fails(bench, panel, press):
    for name in ("Huber CT", "Schmidt CT", "Müller CT"):
        bench.add_volume(name)
    press(panel.ui.addSceneButton)

    def failAtTheSecond(index):
        isSecond = panel.queue.items[1].state == "running"
        bench.fake.behaviour.fail = "The second one cannot be read." if isSecond else ""

    panel.queue.itemChanged.connect(failAtTheSecond)
    before = bench.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    press(panel.ui.startButton)
    assert panel.ui.startButton.text == "Cancel"
    run(bench, panel)
    assert states(panel) == ["done", "failed", "done"]
    assert [row[1] for row in rows(panel.ui.queueTable)] == ["done", "failed", "done"]
    assert bench.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before + 2
    assert "Found in 2 of 3" in panel.ui.queueLabel.text
    select(panel, 1)
    assert panel.ui.itemLabel.text == "Schmidt CT: The second one cannot be read."
    assert panel.ui.retryButton.enabled and not panel.ui.openResultButton.enabled


def test_retry(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    bench.fake.behaviour.fail = "It did not work; try again."
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel) == ["failed"] and "did not work" in panel.ui.itemLabel.text
    bench.fake.behaviour.fail = ""
    press(panel.ui.retryButton)
    assert states(panel) == ["waiting"]
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel) == ["done"] and not panel.ui.itemLabel.text


def test_a_crash_of_the_engine_costs_one_volume(bench, panel, press):
    for name in ("Huber CT", "Schmidt CT"):
        bench.add_volume(name)
    press(panel.ui.addSceneButton)
    bench.fake.behaviour.crash_after = 2
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel) == ["failed", "done"]


def test_cancel_stops_all_and_writes_nothing(bench, panel, press):
    for name in ("Huber CT", "Schmidt CT"):
        bench.add_volume(name)
    press(panel.ui.addSceneButton)
    before = bench.slicer.mrmlScene.GetNumberOfNodes()
    bench.fake.behaviour.steps = 10000
    press(panel.ui.startButton)
    bench.wait(lambda: panel.queue.items[0].progress is not None)
    assert panel.ui.queueProgressBar.isVisible()
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel) == ["cancelled", "cancelled"]
    assert bench.slicer.mrmlScene.GetNumberOfNodes() == before
    assert panel.ui.startButton.text == "Start" and not panel.ui.queueProgressBar.isVisible()


def test_cancel_of_one_lets_the_others_go_on(bench, panel, press):
    for name in ("Huber CT", "Schmidt CT"):
        bench.add_volume(name)
    press(panel.ui.addSceneButton)
    bench.fake.behaviour.steps = 10000
    press(panel.ui.startButton)
    bench.wait(lambda: panel.queue.items[0].progress is not None)
    select(panel, 0)
    assert panel.ui.removeItemButton.text == "Cancel"
    bench.fake.behaviour.steps = 2
    press(panel.ui.removeItemButton)
    run(bench, panel)
    assert states(panel) == ["cancelled", "done"]


def test_remove_keeps_results(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    press(panel.ui.startButton)
    run(bench, panel)
    result = panel.queue.items[0].resultNode
    press(panel.ui.removeItemButton)
    assert panel.queue.items == [] and panel.ui.queueTable.rowCount == 0
    assert result.GetScene() is not None


def test_open_result_selects_it(bench, panel, press):
    node = bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    press(panel.ui.startButton)
    run(bench, panel)
    result = panel.queue.items[0].resultNode
    result.SetDisplayVisibility(False)
    press(panel.ui.openResultButton)
    assert bench.context.volumeNode is node and bench.context.segmentationNode is result
    assert result.GetDisplayVisibility()
    bench.slicer.mrmlScene.RemoveNode(result)
    panel.update()
    assert not panel.ui.openResultButton.enabled


def test_files_are_not_loaded_and_never_overwritten(bench, panel, press, dialogs, tmp_path):
    source = tmp_path / "Huber.nrrd"
    source.write_text("not read by the fake worker")
    dialogs.answer([str(source)])
    press(panel.ui.addFilesButton)
    nodes = bench.slicer.mrmlScene.GetNumberOfNodes()
    for _ in range(2):
        press(panel.ui.startButton)
        run(bench, panel)
        dialogs.answer([str(source)])
        press(panel.ui.addFilesButton)
    assert bench.slicer.mrmlScene.GetNumberOfNodes() == nodes
    outputs = [request.output for request in bench.requests("transfer")]
    assert len(set(outputs)) == 2
    assert source.read_text() == "not read by the fake worker"


def test_no_file_chosen(bench, panel, press, dialogs):
    dialogs.answer(False)
    press(panel.ui.addFilesButton)
    assert panel.queue.items == []


def test_a_folder_of_the_subject_hierarchy(bench, panel, press):
    slicer = bench.slicer
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    node = bench.add_volume("Huber CT")
    bench.add_volume("elsewhere")
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patients")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
    panel.ui.folderComboBox.setCurrentItem(folder)
    press(panel.ui.addFolderButton)
    assert [item.title for item in panel.queue.items] == ["Huber CT"]


def test_the_frames_of_a_sequence(bench, panel, press):
    slicer = bench.slicer
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Heart")
    frame = bench.add_volume("frame")
    for number in range(3):
        sequence.SetDataNodeAtValue(frame, str(number))
    slicer.mrmlScene.RemoveNode(frame)
    panel.ui.sequenceComboBox.setCurrentNode(sequence)
    press(panel.ui.addSequenceButton)
    assert len(panel.queue.items) == 3
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel) == ["done"] * 3
    results = {item.resultNode.GetID() for item in panel.queue.items}
    assert len(results) == 1
    assert slicer.mrmlScene.GetNodeByID(results.pop()).GetNumberOfDataNodes() == 3


def test_the_method_goes_into_the_scene_and_the_request(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    combo = panel.ui.methodComboBox
    combo.setCurrentIndex(combo.findData("alpnet"))
    combo.activated.emit(combo.currentIndex)
    assert bench.context.parameterNode.method == "alpnet"
    press(panel.ui.startButton)
    run(bench, panel)
    (request,) = bench.requests("transfer")
    assert request.method == "alpnet" and [case.segments[0].name for case in request.supports] == ["Liver"]


def test_ticked_entries_device_and_weights_go_into_the_request(bench, both, press):
    library, panel = both
    press(library.ui.addSegmentButton)
    bench.wait()
    library.ui.sceneSupportsCheckBox.click()
    bench.context.parameterNode.device, bench.context.parameterNode.weights = "cpu", "mine"
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    press(panel.ui.startButton)
    run(bench, panel)
    (request,) = bench.requests("transfer")
    assert list(request.entries) == list(bench.fake.answers.library) and len(request.entries) == 1
    assert not request.supports
    assert (request.device, request.weights) == ("cpu", "mine")


def test_results_of_files_go_into_the_chosen_folder(bench, panel, press, dialogs, tmp_path):
    source, folder = tmp_path / "Huber.nrrd", tmp_path / "results"
    source.write_text("not read by the fake worker")
    folder.mkdir()
    dialogs.answer([str(source)])
    press(panel.ui.addFilesButton)
    panel.ui.outputPathLineEdit.currentPath = str(folder)
    press(panel.ui.startButton)
    run(bench, panel)
    assert [path.suffixes[-2:] for path in folder.iterdir()] == [[".seg", ".nrrd"]]
    assert list(tmp_path.glob("*.seg.nrrd")) == []


def test_a_volume_that_goes_while_it_waits(bench, panel, press):
    node = bench.add_volume("Huber CT")
    bench.add_volume("Schmidt CT")
    press(panel.ui.addSceneButton)
    bench.slicer.mrmlScene.RemoveNode(node)
    press(panel.ui.startButton)
    run(bench, panel)
    assert states(panel)[0] in ("failed", "cancelled") and states(panel)[1] == "done"
    assert panel.queue.items[0].sentence


def test_the_scene_closes_in_the_middle(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    bench.fake.behaviour.steps = 10000
    press(panel.ui.startButton)
    bench.wait(lambda: panel.queue.items[0].progress is not None)
    bench.context.parameterNode = None
    bench.slicer.mrmlScene.Clear(False)
    bench.wait()
    assert panel.queue.items == [] and not panel.queue.running
    assert not panel.ui.startButton.enabled
    bench.segment_ids.clear()


def test_empty_segments_are_not_looked_for(bench, panel, press):
    bench.segmentation.GetSegmentation().AddEmptySegment("", "Nothing drawn")
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    press(panel.ui.startButton)
    run(bench, panel)
    (request,) = bench.requests("transfer")
    assert [segment.name for case in request.supports for segment in case.segments] == ["Liver"]


def test_titles_are_told_to_diagnostics(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    assert bench.context.queueTitles() == ["Huber CT"]


def test_without_packages_the_set_up_is_offered(bench, panel, press):
    bench.add_volume("Huber CT")
    press(panel.ui.addSceneButton)
    asked = []
    bench.context.ensureReady = asked.append  # as where the user says No
    press(panel.ui.startButton)
    assert not bench.requests("transfer") and not bench.requests("finetune")
    bench.context.ensureReady = lambda thenDo: True
    asked[0]()
    run(bench, panel)
    assert states(panel) == ["done"]


def test_nothing_is_cut_off(bench, panel, press, pictures):
    bench.add_volume("A volume whose name is longer than the column that it stands in")
    press(panel.ui.addSceneButton)
    press(panel.ui.startButton)
    run(bench, panel)
    width, needed = bench.picture(pictures / "other-volumes.png")
    assert needed <= width
    assert np.all([button.toolTip for button in (panel.ui.startButton, panel.ui.retryButton)])
