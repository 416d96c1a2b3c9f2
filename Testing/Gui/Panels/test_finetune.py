"""Fine-tuning: choose cases, run, keep or roll back; the weights in use are named."""

from __future__ import annotations

import pytest
from panel_bench import Bench, rows


@pytest.fixture
def bench(application, scene):
    with Bench(application) as made:
        yield made


@pytest.fixture
def panel(bench):
    """Two segments that may serve and one that may not."""
    from FewShotSegmentModule.panels.finetunePanel import FinetunePanel

    bench.annotate(("Liver", "Spleen", "Not started"))
    logic = bench.slicer.vtkSlicerSegmentationsModuleLogic
    content = bench.segmentation.GetSegmentation()
    logic.SetSegmentStatus(content.GetSegment(bench.segment_ids[0]), logic.Completed)
    logic.SetSegmentStatus(content.GetSegment(bench.segment_ids[1]), logic.InProgress)
    return bench.open(FinetunePanel)


def listed(panel):
    return [(item.text(0), item.text(1)) for item in panel._items()]


def tick(panel, name, isTicked):
    import qt

    (item,) = [item for item in panel._items() if item.text(0) == name]
    item.setCheckState(0, qt.Qt.Checked if isTicked else qt.Qt.Unchecked)


def finetune(bench, panel, press):
    press(panel.ui.finetuneButton)
    bench.wait()


def test_what_may_serve_is_listed(bench, panel):
    assert listed(panel) == [("Liver", "completed"), ("Spleen", "in progress")]
    assert panel.cases() == [(bench.volume, bench.segmentation, bench.segment_ids[:2])]
    assert not bench.fake.transports, "nothing is asked of the engine"


def test_what_is_drawn_while_the_section_is_closed_is_listed_when_it_opens(bench, panel):
    panel.section.collapsed = True
    logic = bench.slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(bench.segmentation.GetSegmentation().GetSegment(bench.segment_ids[2]), logic.Completed)
    bench.context.annotationChanged.emit()
    assert len(listed(panel)) == 2
    panel.section.collapsed = False
    assert len(listed(panel)) == 3


def test_previews_and_other_modules_nodes_are_left_out(bench, panel):
    bench.segmentation.SetHideFromEditors(True)
    panel.refreshCases()
    assert listed(panel) == []


def test_nothing_to_learn_from_is_said(bench):
    from FewShotSegmentModule.panels.finetunePanel import FinetunePanel

    bench.annotate(("Liver",))
    panel = bench.open(FinetunePanel)
    assert not panel.ui.finetuneButton.enabled
    assert "Accept a result" in panel.ui.casesLabel.text == panel.ui.finetuneButton.toolTip


def test_accepting_makes_a_case(bench):
    from FewShotSegmentModule.panels.finetunePanel import FinetunePanel

    bench.annotate(("Liver",))
    panel = bench.open(FinetunePanel)
    logic = bench.slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(bench.segmentation.GetSegmentation().GetSegment(bench.segment_ids[0]), logic.InProgress)
    bench.context.accepted.emit(bench.segment_ids)
    assert listed(panel) == [("Liver", "in progress")] and panel.ui.finetuneButton.enabled


def test_unticked_segments_are_left_out(bench, panel, press):
    tick(panel, "Spleen", False)
    panel.refreshCases()
    assert panel.cases() == [(bench.volume, bench.segmentation, bench.segment_ids[:1])]
    tick(panel, "Liver", False)
    assert not panel.ui.finetuneButton.enabled and "Tick" in panel.ui.casesLabel.text
    tick(panel, "Liver", True)
    panel.ui.minutesSpinBox.value = 3
    finetune(bench, panel, press)
    (request,) = bench.requests("finetune")
    assert [segment.name for case in request.cases for segment in case.segments] == ["Liver"]
    assert (request.minutes, request.device, request.weights) == (3.0, "auto", None)


def test_scores_and_verdict_are_shown(bench, panel, press):
    assert not panel.ui.scoresTable.isVisible() and not panel.ui.keepButton.isVisible()
    finetune(bench, panel, press)
    assert rows(panel.ui.scoresTable) == [["Liver", "5", "0.800", "0.880"], ["Mean", "", "0.800", "0.880"]]
    assert "better" in panel.ui.verdictLabel.text
    assert panel.ui.nameLineEdit.text == "my-liver"
    assert bench.context.parameterNode.weights == "", "nothing is used before it is kept"
    assert "propagator-v1" in panel.ui.weightsInUseLabel.text


def test_what_is_no_better_cannot_be_kept(bench, panel, press):
    bench.fake.answers.better = False
    finetune(bench, panel, press)
    assert "no better" in panel.ui.verdictLabel.text and panel.ui.scoresTable.isVisible()
    assert not panel.ui.keepButton.isVisible() and not panel.ui.rollBackButton.isVisible()


def test_keep_and_roll_back(bench, panel, press):
    finetune(bench, panel, press)
    panel.ui.nameLineEdit.text = "ours"
    press(panel.ui.keepButton)
    bench.wait()
    assert bench.context.parameterNode.weights == "ours" and bench.fake.answers.weights == ["ours"]
    assert "ours" in panel.ui.weightsInUseLabel.text and not panel.ui.keepButton.isVisible()
    press(panel.ui.rollBackButton)
    bench.wait()
    assert bench.context.parameterNode.weights == "" and bench.fake.answers.weights == []
    assert "propagator-v1" in panel.ui.weightsInUseLabel.text
    assert not panel.ui.scoresTable.isVisible() and not panel.ui.rollBackButton.isVisible()


def test_roll_back_brings_back_the_weights_that_were_in_use(bench, panel, press):
    bench.fake.answers.weights.append("older")
    bench.context.parameterNode.weights = "older"
    finetune(bench, panel, press)
    assert bench.requests("finetune")[0].weights == "older"
    press(panel.ui.keepButton)
    bench.wait()
    assert bench.context.parameterNode.weights == "my-liver"
    press(panel.ui.rollBackButton)
    bench.wait()
    assert bench.context.parameterNode.weights == "older"


def test_roll_back_without_keeping(bench, panel, press):
    finetune(bench, panel, press)
    press(panel.ui.rollBackButton)
    bench.wait()
    assert [request.name for request in bench.requests("finetune-keep")] == [""]
    assert bench.context.parameterNode.weights == ""


@pytest.mark.parametrize("name", ["", "two words", "../elsewhere", "a" * 65, "-x"])
def test_names_that_will_not_do(bench, panel, press, name):
    finetune(bench, panel, press)
    panel.ui.nameLineEdit.maxLength = 100
    panel.ui.nameLineEdit.text = name
    assert not panel.ui.keepButton.enabled and "letters" in panel.ui.keepButton.toolTip


def test_a_name_that_is_taken(bench, panel, press):
    bench.fake.answers.weights.append("my-liver")
    finetune(bench, panel, press)
    press(panel.ui.keepButton)
    bench.wait()
    assert "already" in panel.ui.finetuneLabel.text
    assert panel.ui.keepButton.enabled and bench.context.parameterNode.weights == ""


def test_cancel(bench, panel, press):
    bench.fake.behaviour.steps = 10000
    press(panel.ui.finetuneButton)
    bench.wait(lambda: panel.background.job.progress is not None)
    assert panel.ui.finetuneButton.text == "Cancel" and panel.ui.finetuneProgressBar.isVisible()
    press(panel.ui.finetuneButton)
    bench.wait()
    assert panel.ui.finetuneButton.text == "Fine-tune" and not panel.ui.finetuneProgressBar.isVisible()
    assert "Cancelled" in panel.ui.finetuneLabel.text and not panel.ui.scoresTable.isVisible()


def test_a_failure_is_one_sentence(bench, panel, press):
    bench.fake.behaviour.fail = "There is too little to learn from."
    finetune(bench, panel, press)
    assert panel.ui.finetuneLabel.text == "There is too little to learn from."
    assert panel.ui.finetuneButton.enabled


def test_the_volume_goes_in_the_middle(bench, panel, press):
    bench.fake.behaviour.steps = 10000
    press(panel.ui.finetuneButton)
    bench.wait(lambda: panel.background.job.progress is not None)
    bench.slicer.mrmlScene.RemoveNode(bench.volume)
    bench.wait()
    assert not panel.background.busy and panel.ui.finetuneLabel.text


def test_without_packages_the_set_up_is_offered(bench, panel, press):
    asked = []
    bench.context.ensureReady = asked.append  # as where the user says No
    press(panel.ui.finetuneButton)
    assert not bench.requests("transfer") and not bench.requests("finetune")
    bench.context.ensureReady = lambda thenDo: True
    asked[0]()
    bench.wait()
    assert panel.ui.scoresTable.isVisible()


def test_nothing_is_cut_off(bench, panel, press, pictures):
    finetune(bench, panel, press)
    width, needed = bench.picture(pictures / "fine-tune.png")
    assert needed <= width
