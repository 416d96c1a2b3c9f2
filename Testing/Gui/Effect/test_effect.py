"""The effect in a Segment Editor of its own, as in Slicer's Segment Editor module."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

TESTING = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake(load):
    """The module is open, and its engine is a fake one."""
    sys.path.append(str(TESTING))
    try:
        import fake_worker
    finally:
        sys.path.remove(str(TESTING))
    made = fake_worker.FakeWorker()
    widget = load(enter=False)
    widget.logic._makeTransport = made.make_transport
    return made


@pytest.fixture
def case(fake, scene):
    """A volume with an organ that is drawn on one slice, and a segment beside it."""
    from FewShotSegmentModule import selfTest

    made = selfTest.SelfTestCase()
    made.annotate(selfTest.SLICE)
    return made


@pytest.fixture
def editor(case, application):
    import slicer

    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setSegmentationNode(case.segmentationNode)
    widget.setSourceVolumeNode(case.volumeNode)
    widget.setCurrentSegmentID(case.segmentId)
    slicer.util.mainWindow().show_panel(widget)
    slicer.app.processEvents()
    yield widget
    effect = widget.effectByName("FewShotPropagate")
    widget.setActiveEffect(None)
    effect.self().cleanup()  # Slicer does so when the editor goes
    slicer.util.mainWindow().show_panel(None)
    slicer.app.processEvents()


@pytest.fixture
def options(editor):
    editor.setActiveEffectByName("FewShotPropagate")
    return editor.activeEffect().self().options


@pytest.fixture
def session(editor, options):
    return editor.activeEffect().self().session


@pytest.fixture
def propagate(options, session, press, wait_until):
    """Press Propagate and wait for what comes of it."""

    def run():
        press(options.propagateButton)
        wait_until(lambda: session.job is None)

    return run


def previews():
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if node.GetAttribute("FewShotSegment.Preview")]


def test_effect_is_registered_once_when_slicer_has_started(fake):
    import slicer
    from FewShotSegmentModule.effect import register

    names = [effect.name for effect in slicer.qSlicerSegmentEditorEffectFactory.instance().registeredEffects()]
    assert names.count("FewShotPropagate") == 1
    assert register.registerEffect()
    assert len(slicer.qSlicerSegmentEditorEffectFactory.instance().registeredEffects()) == len(names)


def test_slicer_finds_no_other_module_under_the_name_of_the_folder():
    """Slicer calls the effect's module after its folder: a package of that name would be in its place."""
    from FewShotSegmentModule.effect import register

    name = Path(register.SOURCE).parent.name
    module = sys.modules.get(name)
    assert module is None or Path(module.__file__) == Path(register.SOURCE)
    assert importlib.util.find_spec(name) is None or module is not None


def test_effect_presents_itself(editor):
    effect = editor.effectByName("FewShotPropagate")
    assert effect.title == "Few-shot propagate"
    assert "Propagate" in effect.self().helpText()
    assert not effect.self().icon().isNull()
    assert effect.perSegment
    assert not effect.showEffectCursorInSliceView


def test_status_says_what_is_drawn_and_the_button_why_it_is_disabled(editor, options, case):
    assert "organ" in options.statusLabel.text
    assert options.propagateButton.enabled
    empty = case.segmentationNode.GetSegmentation().AddEmptySegment("", "spleen")
    editor.setCurrentSegmentID(empty)
    assert not options.propagateButton.enabled
    assert "spleen" in options.propagateButton.toolTip
    editor.setSourceVolumeNode(None)
    assert "volume" in options.propagateButton.toolTip


def test_propagate_previews_accept_writes_undo_takes_back(editor, options, case, propagate, press):
    before = case.read()
    propagate()
    np.testing.assert_array_equal(case.read(), before)
    (preview,) = previews()
    assert not preview.GetSaveWithScene()
    assert "preview" in options.statusLabel.text
    press(options.acceptButton)
    assert previews() == []
    accepted = case.read()
    assert np.count_nonzero(accepted) > np.count_nonzero(before)
    np.testing.assert_array_equal(case.read(case.otherId), case.other)
    assert not options.acceptButton.enabled
    editor.undo()
    np.testing.assert_array_equal(case.read(), before)
    editor.redo()
    np.testing.assert_array_equal(case.read(), accepted)


def test_reject_leaves_all_as_it_was(options, case, propagate, press):
    before = case.read()
    propagate()
    press(options.rejectButton)
    assert previews() == []
    np.testing.assert_array_equal(case.read(), before)
    assert options.propagateButton.enabled


def test_propagate_turns_into_cancel(options, session, case, fake, press, wait_until):
    fake.behaviour.slow = 50
    press(options.propagateButton)
    assert options.propagateButton.text == "Cancel"
    assert not options.acceptButton.enabled
    assert options.progressBar.visible
    assert "…" in options.statusLabel.text or "left" in options.statusLabel.text
    press(options.propagateButton)
    wait_until(lambda: session.job is None)
    assert options.propagateButton.text == "Propagate"
    assert not options.progressBar.visible
    assert "nothing was changed" in options.statusLabel.text


def test_failure_of_the_engine_is_said(options, fake, propagate):
    fake.behaviour.fail = "The network does not know this."
    propagate()
    assert options.statusLabel.text.startswith("The network does not know this.")
    assert options.propagateButton.enabled


def test_set_up_that_was_not_done_is_said(options, press, monkeypatch, fake):
    from FewShotSegmentModule.setup import dependencies

    monkeypatch.setattr(dependencies, "missingPackages", lambda: [dependencies.Package("torch", ">=2.1", "", False)])
    press(options.propagateButton)
    assert "set up" in options.statusLabel.text
    assert fake.requests == []


def test_preview_follows_the_slider_and_the_scene_keeps_it(editor, options, propagate):
    propagate()
    options.opacitySlider.value = 0.25
    (preview,) = previews()
    assert preview.GetDisplayNode().GetOpacity2DFill() == pytest.approx(0.25)
    assert editor.activeEffect().doubleParameter("PreviewOpacity") == pytest.approx(0.25)
    options.show3DCheckBox.checked = True
    assert previews()[0].GetDisplayNode().GetVisibility3D()


def test_other_effect_hides_the_preview_and_coming_back_shows_it(editor, options, propagate):
    propagate()
    editor.setActiveEffectByName("Paint")
    assert previews() == []
    editor.setActiveEffectByName("FewShotPropagate")
    assert len(previews()) == 1
    assert options.acceptButton.enabled


def test_segment_changed_in_between_drops_the_proposal(editor, options, case, propagate):
    import slicer

    propagate()
    editor.setActiveEffectByName("Paint")
    changed = case.read().astype(np.uint8)
    changed[5, 20:30, 20:30] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(changed, case.segmentationNode, case.segmentId, case.volumeNode)
    editor.setActiveEffectByName("FewShotPropagate")
    assert previews() == []
    assert "changed since" in options.statusLabel.text
    np.testing.assert_array_equal(case.read(), changed > 0)


def test_edited_slice_is_propagated_as_a_correction(editor, options, case, fake, propagate, press):
    import slicer

    propagate()
    press(options.acceptButton)
    edited = case.read().astype(np.uint8)
    edited[9, :, 26:] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited, case.segmentationNode, case.segmentId, case.volumeNode)
    propagate()
    around = [request.segments[0].around for request in fake.requests if request.kind == "propagate"]
    assert around == [None, [9]]
    press(options.acceptButton)
    np.testing.assert_array_equal(case.read()[9], edited[9] > 0)


def test_editors_masking_rules_hold(editor, options, case, propagate, press):
    import slicer

    node = editor.mrmlSegmentEditorNode()
    allowed = np.zeros(case.other.shape, bool)
    allowed[:, :, : allowed.shape[2] // 2] = True
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        allowed.astype(np.uint8), case.segmentationNode, case.otherId, case.volumeNode
    )
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    node.SetMaskSegmentID(case.otherId)
    node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    before = case.read()
    propagate()
    press(options.acceptButton)
    np.testing.assert_array_equal(case.read()[~allowed], before[~allowed])
    assert case.read()[allowed].sum() > before[allowed].sum()


def test_scene_closed_while_a_preview_is_shown(options, session, propagate):
    import slicer

    propagate()
    slicer.mrmlScene.Clear(False)
    slicer.app.processEvents()
    assert previews() == []
    assert not session.accept(None)


def test_scene_closed_while_it_runs(options, session, fake, press, wait_until):
    import slicer

    fake.behaviour.slow = 50
    press(options.propagateButton)
    slicer.mrmlScene.Clear(False)
    wait_until(lambda: session.job is None)
    assert previews() == []
    assert session.proposal is None
