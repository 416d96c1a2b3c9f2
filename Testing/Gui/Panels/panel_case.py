"""Sections of the panel with a fake worker, and what a user does with them."""

from __future__ import annotations

import numpy as np
import qt
import slicer
import slicer.util
import vtk
from fake_worker import FakeWorker
from FewShotSegmentModule.jobs import worker as module_worker
from FewShotSegmentModule.logic import FewShotSegmentLogic
from FewShotSegmentModule.panels import annotationPanel
from FewShotSegmentModule.panels.anchorsPanel import AnchorsPanel
from FewShotSegmentModule.panels.annotationPanel import AnnotationPanel
from FewShotSegmentModule.panels.context import PanelContext
from FewShotSegmentModule.panels.propagatePanel import PropagatePanel
from FewShotSegmentModule.panels.reviewPanel import ReviewPanel
from FewShotSegmentModule.parameters import FewShotSegmentParameterNode
from FewShotSegmentModule.scene.segments import readMask

TAGS = (
    "FewShotSegment.Anchors",
    "FewShotSegment.Confidence",
    "FewShotSegment.Provenance",
    slicer.vtkSlicerSegmentationsModuleLogic.GetStatusTagName(),
)
SHAPE = (40, 48, 56)


class Panels:
    """The sections in a window, opened.

    annotation, propagating, review, anchors: the sections.
    context, logic: what they share.
    worker: the FakeWorker.
    messages: (level, sentence) that the user was told.
    """

    def __init__(self, application, width=380):
        self._application = application
        module_worker.TICK_MILLISECONDS = 5  # the fake worker says one thing at each tick
        annotationPanel.DELAY_MILLISECONDS = 20  # nobody draws while a test waits
        self.worker = FakeWorker()
        self.logic = FewShotSegmentLogic(makeTransport=self.worker.make_transport)
        resources = application.MODULE.parent / "Resources"
        self.context = PanelContext(self.logic, lambda name: str(resources / name))
        self.messages: list[tuple[str, str]] = []
        self.context.message.connect(lambda level, sentence: self.messages.append((level, sentence)))
        self.frame = slicer.qMRMLWidget()
        layout = qt.QVBoxLayout(self.frame)
        kinds = (AnnotationPanel, PropagatePanel, ReviewPanel, AnchorsPanel)
        self.sections = [kind(self.context, layout) for kind in kinds]
        self.annotation, self.propagating, self.review, self.anchors = self.sections
        layout.addStretch(1)
        self.open_scene()
        slicer.util.mainWindow().show_panel(self.frame)
        slicer.util.mainWindow().resize(width + 20, 1400)
        self.enter()

    def open_scene(self):
        """A new parameter node, as the module's widget does."""
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetModuleName("FewShotSegment")
        self.context.parameterNode = FewShotSegmentParameterNode(slicer.mrmlScene.AddNode(node))
        return self.context.parameterNode

    def enter(self):
        for section in self.sections:
            section.enter()
        slicer.app.processEvents()

    def exit(self):
        for section in self.sections:
            section.exit()

    def close(self):
        self.exit()
        self.context.parameterNode = None
        for section in self.sections:
            section.cleanup()
        self.logic.close()
        slicer.util.mainWindow().show_panel(None)
        self.frame.deleteLater()
        slicer.app.processEvents()

    # --- shorthands ---

    @property
    def parameters(self):
        return self.context.parameterNode

    @property
    def volume(self):
        return self.context.volumeNode

    @property
    def segmentation(self):
        return self.context.segmentationNode

    @property
    def segment_id(self):
        return self.context.segmentId

    @property
    def said(self) -> str:
        """The last sentence."""
        return self.messages[-1][1] if self.messages else ""

    def press(self, button):
        self._application.press(button)

    def wait(self, condition):
        return self._application.wait_until(condition)

    # --- what a user does ---

    def add_volume(self, name="CT", spacing=(1.0, 1.0, 3.0), shape=SHAPE):
        """Load a volume and choose it."""
        volume = self.load_volume(name, spacing, shape)
        self.parameters.volume = volume
        return volume

    @staticmethod
    def load_volume(name="CT", spacing=(1.0, 1.0, 3.0), shape=SHAPE):
        voxels = np.random.default_rng(1).integers(-100, 100, shape).astype(np.int16)
        volume = slicer.util.addVolumeFromArray(voxels, name=name)
        volume.SetSpacing(*spacing)
        volume.CreateDefaultDisplayNodes()
        return volume

    def draw(self, index, radius=12, axis=0, center=(24, 28), segment_id=None, told=True):
        """Draw a disk on a slice, in place of what was there; an empty one with radius 0."""
        segment_id = segment_id or self.segment_id
        voxels = self.voxels(segment_id)
        shape = [size for other, size in enumerate(voxels.shape) if other != axis]
        rows, columns = np.indices(shape)
        disk = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2
        np.moveaxis(voxels, axis, 0)[index] = disk
        self.write(voxels, segment_id)
        if told:
            self.settle()

    def write(self, voxels, segment_id=None):
        """Write a whole segment past the editor, as other modules do."""
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            voxels, self.segmentation, segment_id or self.segment_id, self.volume
        )

    def settle(self):
        """Let the pause after the edits go by."""
        if self.annotation._timer.active:
            self.wait(lambda: not self.annotation._timer.active)
        slicer.app.processEvents()

    def add_segment(self, name):
        segment_id = self.segmentation.GetSegmentation().AddEmptySegment("", name)
        self.settle()
        return segment_id

    def propagate(self):
        """Press Propagate and wait for the preview."""
        self.press(self.propagating.ui.propagateButton)
        self.wait(lambda: not self.propagating.runner.running)
        assert self.context.proposal is not None, self.said

    # --- what there is ---

    def voxels(self, segment_id=None):
        """The segment on the volume's grid, uint8 [z, y, x]."""
        whole = np.zeros(self.volume.GetImageData().GetDimensions()[::-1], np.uint8)
        mask = readMask(self.segmentation, segment_id or self.segment_id, self.volume)
        box = tuple(slice(first, first + size) for first, size in zip(mask.origin, mask.voxels.shape, strict=True))
        whole[box] = mask.voxels
        return whole

    def tags(self):
        """What the module and Slicer keep in tags of the segments."""
        segmentation = self.segmentation.GetSegmentation()
        found = {}
        for key in segmentation.GetSegmentIDs():
            for name in TAGS:
                value = vtk.reference("")
                if segmentation.GetSegment(key).GetTag(name, value):
                    found[key, name] = str(value)
        return found

    def requests(self, kind="propagate"):
        return [request for request in self.worker.requests if request.kind == kind]

    def slice_of(self, axis=0):
        """The slice on screen."""
        return self.context.currentSlice(axis)[1]
