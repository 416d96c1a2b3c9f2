"""Volume, segmentation, and the Segment Editor to draw with; says what is annotated."""

import qt
import slicer
from slicer.i18n import tr as _

from ..effect import register
from ..scene import modality
from ..scene.commit import WidgetEditor
from ..scene.segments import reader
from .facts import EDITS, factsOf
from .panel import Panel

UNDO_STATES = 20
DELAY_MILLISECONDS = 250
"""Strokes come faster than this; what they changed is looked at once they pause."""

EDITOR_TAG = "FewShotSegment"

MODALITIES = (modality.AUTO, modality.CT, modality.MR)
"""In the order of the combo box."""

SHOWN = slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent


class AnnotationPanel(Panel):
    """The first section: owns the selection and the embedded editor."""

    uiName = "Annotation"

    def __init__(self, context, layout):
        Panel.__init__(self, context, layout)
        self._facts = factsOf(context)
        self._shown = (None, None)  # volume and segmentation that the editor has
        self._observed = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MILLISECONDS)
        self._timer.connect("timeout()", self._onEditsPaused)
        self._setUpEditor()
        self.ui.newSegmentationButton.connect("clicked()", self.makeSegmentation)
        self.ui.modalityComboBox.connect("activated(int)", self._onModalityChosen)
        self.ui.volumeSelector.connect("nodeActivated(vtkMRMLNode*)", self._onVolumePicked)
        self.ui.segmentationSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._onSegmentationMade)
        context.annotationChanged.connect(self.update)
        context.selectionChanged.connect(self.update)
        context.parameterNodeChanged.connect(self._onParameterNodeChanged)
        self.update()

    def _setUpEditor(self):
        editor = self.ui.segmentEditor
        editor.setSegmentationNodeSelectorVisible(False)
        editor.setSourceVolumeNodeSelectorVisible(False)
        editor.setSwitchToSegmentationsButtonVisible(False)
        editor.setUndoEnabled(True)
        editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        # the effect does what the next section does: here it would be a second Propagate, with a preview of its own
        names = dict.fromkeys([*editor.effectNameOrder(), *editor.availableEffectNames()])
        editor.setEffectNameOrder([name for name in names if name != register.NAME])
        editor.unorderedEffectsVisible = False
        editor.connect("currentSegmentIDChanged(QString)", self._onSegmentSelected)
        self.context.editorWidget = editor
        self.context.editor = WidgetEditor(editor)

    # --- module ---

    def enter(self):
        """Connect the editor to the views."""
        self._follow()
        self._preselect()
        self.ui.segmentEditor.setupViewObservations()
        self.ui.segmentEditor.installKeyboardShortcuts()
        Panel.enter(self)

    def exit(self):
        """Let go of the views and the keyboard; a tool that stays active would draw in another module."""
        self._releaseEditor()
        Panel.exit(self)

    def cleanup(self):
        """Stop observing."""
        self._timer.stop()
        self._releaseEditor()
        self.ui.segmentEditor.setSegmentationNode(None)
        Panel.cleanup(self)

    def _releaseEditor(self):
        self.ui.segmentEditor.setActiveEffect(None)
        self.ui.segmentEditor.uninstallKeyboardShortcuts()
        self.ui.segmentEditor.removeViewObservations()

    # --- selection ---

    def _onParameterNodeChanged(self):
        """Another scene, or the first one."""
        editor = self.ui.segmentEditor
        self._shown = (None, None)
        node = self.context.parameterNode
        if node is None:
            self._observe(None)
            editor.setSegmentationNode(None)
            return
        if node.segmentEditor is None:
            node.segmentEditor = self._editorNode()
        editor.setMRMLSegmentEditorNode(node.segmentEditor)
        editor.setMRMLScene(slicer.mrmlScene)  # after its node, which the editor fills with what the scene has
        self._follow()

    @staticmethod
    def _editorNode():
        # Slicer keeps such nodes when a scene is closed, with all that was set in them lost
        node = slicer.mrmlScene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(EDITOR_TAG)
            node = slicer.mrmlScene.AddNode(node)
        # a result that is accepted, or a brush, must not erase other segments unless the user wants it to
        node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        return node

    def parameterModified(self):
        """The volume or segmentation may be another one."""
        self._follow()

    def _follow(self):
        """Make the editor show what is selected."""
        volume, segmentation = self.context.volumeNode, self.context.segmentationNode
        if (volume, segmentation) == self._shown or self.context.parameterNode is None:
            return
        self._shown = (volume, segmentation)
        if segmentation is not None and volume is not None:
            self._fitGeometry(segmentation, volume)
        editor = self.ui.segmentEditor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)
        self._observe(segmentation)
        self.context.selectionChanged.emit()

    def _preselect(self):
        """Start with the volume on screen; nothing is made or changed by that."""
        node = self.context.parameterNode
        if node is None or node.volume is not None:
            return
        selection = slicer.app.applicationLogic().GetSelectionNode()
        active = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID() or "")
        usable = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        usable = [volume for volume in usable if volume.GetClassName() == "vtkMRMLScalarVolumeNode"]
        if active not in usable:
            active = usable[0] if len(usable) == 1 else None
        if active is not None:
            node.volume = active

    def _onVolumePicked(self, volume):
        """The user chose a volume: give him something to draw in."""
        node = self.context.parameterNode
        if volume is None or node is None:
            return
        if node.volume is not volume:
            node.volume = volume
        if node.segmentation is None:
            node.segmentation = self._segmentationOf(volume)
            if node.segmentation is None:
                self.makeSegmentation()

    def _onModalityChosen(self, index):
        if self.context.volumeNode is not None:
            modality.choose(self.context.volumeNode, MODALITIES[index])

    @staticmethod
    def _segmentationOf(volume):
        """The first segmentation that was made for the volume."""
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            if segmentation.GetNodeReference(role) is volume and not segmentation.GetHideFromEditors():
                return segmentation
        return None

    def makeSegmentation(self):
        """A new segmentation for the volume, with a segment to draw; returns it."""
        node = self.context.parameterNode
        if node is None or node.volume is None:
            self.context.fail(_("Choose a volume first."))
            return None
        name = _("{volume} segmentation").format(volume=node.volume.GetName())
        segmentation = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
        )
        self._onSegmentationMade(segmentation)
        return segmentation

    def _onSegmentationMade(self, segmentation):
        if segmentation is None or self.context.parameterNode is None:
            return
        segmentation.CreateDefaultDisplayNodes()
        if self.context.volumeNode is not None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(self.context.volumeNode)
        segmentId = ""
        if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
            segmentId = segmentation.GetSegmentation().AddEmptySegment()
        self.context.parameterNode.segmentation = segmentation
        self._follow()
        if segmentId:
            self.ui.segmentEditor.setCurrentSegmentID(segmentId)

    def _fitGeometry(self, segmentation, volume):
        """Give an empty segmentation the volume's grid; one with content keeps its own."""
        text = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        own = segmentation.GetSegmentation().GetConversionParameter(text)
        if not own or not self._hasContent(segmentation):
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)

    @staticmethod
    def _hasContent(segmentation):
        segmentIds = segmentation.GetSegmentation().GetSegmentIDs()
        return any(reader.isDrawn(segmentation, segmentId) for segmentId in segmentIds)

    def _onSegmentSelected(self, segmentId=None):
        self.context.selectionChanged.emit()

    # --- edits ---

    def _observe(self, segmentation):
        if segmentation is self._observed:
            return
        for event, told in [*((event, self._onEdited) for event in EDITS), (SHOWN, self._onShown)]:
            if self._observed is not None:
                self.removeObserver(self._observed, event, told)
            if segmentation is not None:
                self.addObserver(segmentation, event, told)
        self._observed = segmentation

    def _onEdited(self, caller=None, event=None):
        self._timer.start()

    def _onShown(self, caller=None, event=None):
        parameters = self.context.parameterNode
        if parameters is not None and parameters.allVisible:  # other segments may be meant now
            self._timer.start()

    def _onEditsPaused(self):
        self.context.annotationChanged.emit()

    # --- what is said ---

    def update(self):
        """Say what is annotated."""
        ui = self.ui
        ui.newSegmentationButton.visible = self.context.segmentationNode is None
        ui.newSegmentationButton.enabled = self.context.volumeNode is not None
        volume = self.context.volumeNode
        ui.modalityComboBox.enabled = volume is not None
        ui.modalityComboBox.currentIndex = MODALITIES.index(modality.chosen(volume)) if volume is not None else 0
        sentence, hints = self._describe()
        self.showText(ui.statusLabel, sentence)
        self.showText(ui.hintsLabel, "\n".join(f"⚠ {hint}" for hint in hints))
        self.showText(ui.geometryLabel, self._geometrySentence())

    def _describe(self):
        known = self._facts.of()
        return known.annotation.sentence, known.annotation.hints

    def _geometrySentence(self):
        """Tell where the segmentation was made for another volume."""
        volume, segmentation = self.context.volumeNode, self.context.segmentationNode
        if volume is None or segmentation is None:
            return ""
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        other = segmentation.GetNodeReference(role)
        if other is None or other is volume or not self._hasContent(segmentation):
            return ""
        return _(
            "⚠ {segmentation} was drawn on {other}. It keeps its voxels; to annotate {volume}, make a new segmentation."
        ).format(segmentation=segmentation.GetName(), other=other.GetName(), volume=volume.GetName())
