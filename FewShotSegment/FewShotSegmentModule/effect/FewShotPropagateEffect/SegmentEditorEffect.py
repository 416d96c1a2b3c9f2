"""The effect as Slicer loads it: a module of its own, named after its folder, hence no relative imports."""

import logging
import os

import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

from FewShotSegmentModule.effect import register
from FewShotSegmentModule.effect.editor import EffectEditor
from FewShotSegmentModule.effect.options import EffectOptions
from FewShotSegmentModule.effect.session import EffectSession
from FewShotSegmentModule.panels.background import progressSentence
from FewShotSegmentModule.scene import anchors, annotation
from FewShotSegmentModule.setup import dependencies

OPACITY, SHOW_3D = "PreviewOpacity", "PreviewShow3D"


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """Carries the annotated slices of the selected segment through the volume, on the same logic as the panel."""

    def __init__(self, scriptedEffect):
        super().__init__(scriptedEffect)
        scriptedEffect.name = register.NAME
        scriptedEffect.title = _("Few-shot propagate")
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        scriptedEffect.showEffectCursorInSliceView = False  # nothing is drawn with the mouse
        self.session = None
        self.options = None

    # --- what Slicer asks for ---

    def clone(self):
        """One for each editor."""
        return register.makeEffect()

    def icon(self):
        """For the editor's button."""
        module = os.path.dirname(os.path.dirname(os.path.dirname(register.SOURCE)))
        path = os.path.join(os.path.dirname(module), "Resources", "Icons", register.NAME + ".png")
        return qt.QIcon(path) if os.path.isfile(path) else qt.QIcon()

    def helpText(self):
        """What the editor shows as help."""
        return _(
            "<html>Draw the structure on one slice, then carry it through the volume.<br><ol>"
            "<li>Draw the selected segment on one slice, or on several of one axis.</li>"
            "<li><b>Propagate</b> shows a preview; <b>Accept</b> writes it as one step of Undo.</li>"
            "<li>Correct any slice with any effect and propagate again: what you drew is kept.</li></ol>"
            "The module FewShotSegment has more: review, other volumes, set-up.</html>"
        )

    def setMRMLDefaults(self):
        """Parameters that are kept with the scene."""
        self.scriptedEffect.setParameterDefault(OPACITY, 0.6)
        self.scriptedEffect.setParameterDefault(SHOW_3D, 0)

    def setupOptionsFrame(self):
        """Make the controls; the worker is not started before the first run."""
        self.session = EffectSession(lambda: slicer.util.getModuleLogic("FewShotSegment"))
        self.session.changed.connect(self.updateGUIFromMRML)
        self.options = EffectOptions()
        self.options.addTo(self.scriptedEffect)
        self.options.propagateButton.connect("clicked()", self.onPropagate)
        self.options.acceptButton.connect("clicked()", self.onAccept)
        self.options.rejectButton.connect("clicked()", self.onReject)
        self.options.opacitySlider.connect("valueChanged(double)", self.updateMRMLFromGUI)
        self.options.show3DCheckBox.connect("toggled(bool)", self.updateMRMLFromGUI)

    def activate(self):
        """The user chose the effect."""
        if self.session is not None:
            self.session.opacity, self.session.show3D = self._display()
            self.session.activate()

    def deactivate(self):
        """The user chose another effect, or left the editor: the run goes on, and its proposal waits."""
        if self.session is not None:
            self.session.deactivate()

    def cleanup(self):
        """The editor is about to be deleted."""
        if self.session is not None:
            self.session.close()
            self.session = None
        if self.options is not None:
            self.options.propagateButton.disconnect("clicked()", self.onPropagate)
            self.options.acceptButton.disconnect("clicked()", self.onAccept)
            self.options.rejectButton.disconnect("clicked()", self.onReject)
            self.options.opacitySlider.disconnect("valueChanged(double)", self.updateMRMLFromGUI)
            self.options.show3DCheckBox.disconnect("toggled(bool)", self.updateMRMLFromGUI)
            self.options = None

    def updateGUIFromMRML(self):
        """Called by the editor when its selection has changed, and by the session."""
        if self.options is None or self.session is None:
            return
        about, problem = self._selected()
        session = self.session
        if session.job is not None:
            about = progressSentence(session.job.progress)
        elif session.proposal is not None:
            about = _("This is a preview: accept or reject it.")
        sentence = "\n".join(part for part in (session.sentence, about) if part)
        self.options.showState(sentence, problem, session.job, session.proposal is not None)
        opacity, show3D = self._display()
        for widget, name, value in (
            (self.options.opacitySlider, "value", opacity),
            (self.options.show3DCheckBox, "checked", show3D),
        ):
            wasBlocked = widget.blockSignals(True)
            setattr(widget, name, value)
            widget.blockSignals(wasBlocked)

    def updateMRMLFromGUI(self, *_value):
        """How the preview is shown goes into the scene, and to the preview."""
        if self.options is None or self.session is None:
            return
        opacity, show3D = self.options.opacitySlider.value, self.options.show3DCheckBox.checked
        self.scriptedEffect.setParameter(OPACITY, opacity)
        self.scriptedEffect.setParameter(SHOW_3D, int(show3D))
        self.session.setDisplay(opacity, show3D)

    # --- what the buttons do ---

    def onPropagate(self):
        """Propagate, or Cancel while a run goes on."""
        if self.session.job is not None:
            self.session.cancel()
            return
        if dependencies.missingPackages():
            self.session.say(
                _(
                    "FewShotSegment is not set up yet: open the module FewShotSegment, whose set-up installs what is "
                    "missing."
                )
            )
            return
        volumeNode, segmentationNode, segmentId = self._selection()
        with slicer.util.tryWithErrorDisplay(_("Propagating failed:"), waitCursor=False):
            correct = bool(anchors.editedSlices(segmentationNode, segmentId, volumeNode))
            self.session.propagate(volumeNode, segmentationNode, segmentId, correct=correct)

    def onAccept(self):
        """Write the preview: one step of Undo, by the editor's own rules of masking and overwriting."""
        with slicer.util.tryWithErrorDisplay(_("Accepting failed:"), waitCursor=True):
            self.session.accept(EffectEditor(self.scriptedEffect))

    def onReject(self):
        """Drop the preview."""
        self.session.reject()

    # --- inside ---

    def _selection(self):
        """Volume, segmentation and segment ID that the editor has selected; None and "" for what is not."""
        node = self.scriptedEffect.parameterSetNode()
        if node is None:
            return None, None, ""
        return node.GetSourceVolumeNode(), node.GetSegmentationNode(), node.GetSelectedSegmentID() or ""

    def _selected(self):
        """(what is annotated, why it cannot be propagated) as sentences; the second is empty if it can."""
        volumeNode, segmentationNode, segmentId = self._selection()
        if volumeNode is None:
            problem = _("Choose a source volume first.")
        elif segmentationNode is None or not segmentationNode.GetSegmentation().GetSegment(segmentId):
            problem = _("Select a segment first.")
        else:
            try:
                described = annotation.describe(segmentationNode, segmentId, volumeNode)
            except Exception:  # must not keep the editor from working
                logging.exception("FewShotSegment: the annotation cannot be described")
                problem = _("The annotation cannot be read; the Python console says more.")
            else:
                return described.sentence or described.problem, described.problem
        return problem, problem

    def _display(self):
        """(opacity, whether in 3D) of the preview."""
        return self.scriptedEffect.doubleParameter(OPACITY), bool(self.scriptedEffect.integerParameter(SHOW_3D))
