"""The way of a user through the real panel with the real engine: annotate, propagate, accept, undo, correct, save.

On the abdominal CT of ../shared where it is, else on the phantom. Slicer's windows are stood in for: this is no run in
desktop Slicer.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("FEWSHOTSEGMENT_SHARED", REPOSITORY.parent / "shared"))
SECONDS = 300  # for one run of the engine on a busy machine


def real_case() -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]] | None:
    """Voxels, spleen and spacing (x, y, z) of a CT, or None."""
    image = SHARED / "data/demo/abdomen_ct_image.nii.gz"
    if not image.is_file():
        return None
    import SimpleITK as sitk

    volume = sitk.ReadImage(str(image))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(image).replace("_image", "_labels")))
    return sitk.GetArrayFromImage(volume), labels == 1, volume.GetSpacing()


def phantom():
    """A small generated abdomen."""
    from FewShotSegmentLib.phantom import make_phantom

    return make_phantom((40, 128, 128))


def phantom_case() -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    made = phantom()
    z, y, x = made.spacing
    liver = next(value for value, name in made.names.items() if name == "liver")
    return made.image, made.labels == liver, (x, y, z)


@pytest.fixture(scope="module", params=["real CT", "phantom"])
def case(request):
    made = real_case() if request.param == "real CT" else phantom_case()
    if made is None:
        pytest.skip(f"there is no {SHARED}/data")
    return made


class User:
    """What a user does in the panel."""

    def __init__(self, application, widget):
        self.application = application
        self.widget = widget
        self.context = widget.context
        sections = {type(section).__name__: section.ui for section in widget.sections}
        self.annotation = sections["AnnotationPanel"]
        self.propagate = sections["PropagatePanel"]
        self.review = sections["ReviewPanel"]
        self.anchors = sections["AnchorsPanel"]

    def wait(self, condition):
        return self.application.wait_until(condition, SECONDS)

    def settle(self):
        """Let the pause after an edit go by."""
        import slicer
        from PySide6 import QtTest

        QtTest.QTest.qWait(300)
        slicer.app.processEvents()

    def mask(self, segment_id: str | None = None) -> np.ndarray:
        import slicer

        return (
            slicer.util.arrayFromSegmentBinaryLabelmap(
                self.context.segmentationNode, segment_id or self.context.segmentId, self.context.volumeNode
            )
            > 0
        )

    def draw(self, index: int, mask: np.ndarray) -> None:
        """Replace one slice, with an undo state, as an effect of the Segment Editor does."""
        from FewShotSegmentModule.scene.segments import labelmapFromMask

        whole = self.mask().astype(np.uint8)
        whole[index] = mask
        context = self.context
        labelmap = labelmapFromMask(
            whole, (0, 0, 0), context.volumeNode, context.segmentationNode, cover=context.segmentId
        )
        context.editor.saveStateForUndo()
        context.editor.modifySegment(context.segmentationNode, context.segmentId, labelmap)
        self.settle()

    def run(self, button) -> None:
        """Press a button that starts the engine and wait for the preview."""
        self.application.press(button)
        self.wait(lambda: not self.context.runner.running)
        assert self.context.proposal is not None, self.widget.ui.messageLabel.text

    def accept(self) -> None:
        self.application.press(self.propagate.acceptButton)
        self.settle()
        assert self.context.proposal is None, self.widget.ui.messageLabel.text


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_annotate_propagate_accept_undo_correct_save_reload(load, application, case, tmp_path, pictures):
    import slicer

    voxels, truth, spacing = case
    widget = load()
    from FewShotSegmentModule.scene import anchors, provenance

    user = User(application, widget)

    # annotate: choose the volume, draw one slice of the organ
    volume = slicer.util.addVolumeFromArray(voxels, name="CT")
    volume.SetSpacing(*spacing)
    volume.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=volume)
    user.annotation.volumeSelector.setCurrentNode(volume)
    if user.context.segmentationNode is None:
        application.press(user.annotation.newSegmentationButton)
    segmentation, segment_id = user.context.segmentationNode, user.context.segmentId
    segmentation.GetSegmentation().GetSegment(segment_id).SetName("Organ")
    neighbour = segmentation.GetSegmentation().AddEmptySegment("", "Neighbour")
    filled = np.flatnonzero(truth.any(axis=(1, 2)))
    middle = int(filled[len(filled) // 2])
    other = np.zeros(truth.shape, np.uint8)
    other[filled[0] : filled[-1], :30, :30] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(other, segmentation, neighbour, volume)
    user.annotation.segmentEditor.setCurrentSegmentID(segment_id)
    assert not user.propagate.propagateButton.enabled
    user.draw(middle, truth[middle])
    assert f"1 slice, axial {middle}" in user.annotation.statusLabel.text
    drawn = user.mask()

    # propagate: a preview, nothing written
    user.run(user.propagate.propagateButton)
    assert user.context.proposal.preview is not None
    assert np.array_equal(user.mask(), drawn)

    # accept: one step that can be undone, the annotated slice as drawn, the neighbour untouched
    user.accept()
    found = user.mask()
    assert np.array_equal(found[middle], truth[middle])
    assert dice(found[filled], truth[filled]) > 0.6
    assert np.array_equal(user.mask(neighbour), other > 0)
    user.annotation.segmentEditor.undo()
    user.settle()
    assert np.array_equal(user.mask(), drawn)
    user.annotation.segmentEditor.redo()
    user.settle()
    assert np.array_equal(user.mask(), found)

    # correct: the edited slice becomes an anchor, its neighbourhood is done again and the open end on the other side
    wrong = min(int(filled[-1]) - 1, middle + 12)
    user.draw(wrong, truth[wrong])
    user.run(user.anchors.updateButton)
    (segment_result,) = user.context.proposal.results.values()
    assert not any(first <= middle <= last for first, last in segment_result.renewed)
    user.accept()
    corrected = user.mask()
    assert np.array_equal(corrected[wrong], truth[wrong])
    assert np.array_equal(corrected[middle], found[middle])
    # between inner anchors nothing but the slices from anchor to anchor is done again
    between = (middle + wrong) // 2
    user.draw(between, truth[between])
    user.run(user.anchors.updateButton)
    (segment_result,) = user.context.proposal.results.values()
    assert [middle + 1, wrong - 1] in [list(stretch) for stretch in segment_result.renewed]
    user.accept()
    corrected = user.mask()
    assert np.array_equal(corrected[between], truth[between])

    # save and reload: segments, anchors, provenance and the panel's choices are back
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(False)
    slicer.app.processEvents()
    assert user.context.volumeNode is None
    slicer.util.loadScene(str(path))
    user.settle()
    segmentation, volume = user.context.segmentationNode, user.context.volumeNode
    assert volume.GetName() == "CT"
    user.annotation.segmentEditor.setCurrentSegmentID(segment_id)
    user.settle()
    assert np.array_equal(user.mask(), corrected)
    table = anchors.anchorsOf(segmentation, segment_id, volume)
    assert table.entries == {middle: anchors.HAND, between: anchors.CORRECTED, wrong: anchors.CORRECTED}
    record = provenance.read(segmentation, segment_id)
    manifest = json.loads((REPOSITORY / "Resources/weights/weights.json").read_text(encoding="utf-8"))
    assert record["weights"]["sha256"] == manifest["weights"][0]["sha256"]

    # and it goes on from there: a slice erased by mistake is drawn again and corrected
    user.draw(wrong, truth[wrong] | corrected[wrong - 1])
    user.run(user.anchors.updateButton)
    user.accept()
    # three annotated slices tell how far the structure reaches, so that both open ends are found again
    assert np.array_equal(user.mask()[middle : between + 1], corrected[middle : between + 1])
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == [segmentation]
