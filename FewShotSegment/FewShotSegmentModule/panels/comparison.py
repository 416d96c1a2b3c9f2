"""Comparing the selected segment with a reference, in the free moments of the user interface."""

import logging

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..scene import reference
from ..scene.errors import SceneError
from .facts import EDITS


def _version(segmentationNode, segmentId):
    """Changes with the voxels of a segment."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId) if segmentationNode and segmentId else None
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    labelmap = segment.GetRepresentation(name) if segment is not None else None
    return labelmap.GetMTime() if labelmap is not None else None


class Comparing(VTKObservationMixin):
    """The part of the review that compares; its widgets are the review's."""

    def __init__(self, context, ui):
        VTKObservationMixin.__init__(self)
        self.context = context
        self.ui = ui
        self._followed = None
        self._steps = None
        self._shownFor = None
        ui.compareButton.connect("clicked()", self.toggle)
        ui.referenceSegmentComboBox.connect("activated(int)", self._onSegmentChosen)

    # --- what is chosen ---

    def _references(self):
        """(ID, name) of the reference's segments."""
        parameters = self.context.parameterNode
        node = parameters.reference if parameters is not None else None
        if node is None:
            return []
        segmentation = node.GetSegmentation()
        return [(key, segmentation.GetSegment(key).GetName()) for key in segmentation.GetSegmentIDs()]

    def _onSegmentChosen(self, index):
        self.context.parameterNode.referenceSegment = self.ui.referenceSegmentComboBox.itemData(index) or ""

    def _chosen(self):
        """ID of the reference segment: the chosen one, else the one of the same name, else the only one."""
        references = dict(self._references())
        wanted = self.context.parameterNode.referenceSegment if references else ""
        if wanted in references:
            return wanted
        same = [key for key, name in references.items() if name == self._name()]
        return same[0] if same else next(iter(references)) if len(references) == 1 else ""

    def _name(self):
        node, segmentId = self.context.segmentationNode, self.context.segmentId
        return node.GetSegmentation().GetSegment(segmentId).GetName() if segmentId else ""

    def _problem(self):
        if self.context.volumeNode is None or not self.context.segmentId:
            return _("Choose a segment.")
        reference = self.context.parameterNode.reference
        if reference is None:
            return _("Choose a reference segmentation.")
        if not self._references():
            return _("{name} has no segment: choose another reference.").format(name=reference.GetName())
        if not self._chosen():
            return _("Choose the reference's segment.")
        if (reference, self._chosen()) == (self.context.segmentationNode, self.context.segmentId):
            return _("This is the selected segment itself: choose another reference.")
        return ""

    # --- doing it ---

    def toggle(self):
        """Compare, or stop comparing."""
        if self._steps is not None:
            self.stop()
            self.update()
            return
        context = self.context
        if self._problem():
            context.fail(self._problem())
            return
        self._steps = reference.compareSteps(
            context.segmentationNode,
            context.segmentId,
            context.parameterNode.reference,
            self._chosen(),
            context.volumeNode,
        )
        self._shownFor = self._subject()
        self.ui.compareLabel.text = ""
        context.logic.runner.add(self._piece(self._steps))
        self.update()

    def _subject(self):
        parameters = self.context.parameterNode
        of = (self.context.segmentationNode, self.context.segmentId)
        with_ = (parameters.reference if parameters else None, self._chosen())
        return (*of, _version(*of), *with_, _version(*with_))

    def _piece(self, steps):
        def piece():
            if steps is not self._steps:  # stopped
                return False
            try:
                next(steps)
            except StopIteration as end:
                self._finish(self._sentence(end.value))
                return False
            except SceneError as error:
                self._finish(str(error))
                return False
            except Exception:
                logging.exception("FewShotSegment: the comparison failed")
                self._finish(_("The comparison failed; please report it with Copy diagnostics."))
                return False
            return True

        return piece

    @staticmethod
    def _sentence(found):
        distance = _("HD95 {distance} mm").format(distance=f"{found.hd95:.1f}") if found.hd95 is not None else ""
        volumes = _("{ml} ml, reference {reference} ml").format(
            ml=f"{found.ml:.1f}", reference=f"{found.referenceMl:.1f}"
        )
        return " · ".join(part for part in (f"Dice {found.dice:.3f}", distance, volumes) if part)

    def _finish(self, sentence):
        self._steps = None
        self.ui.compareLabel.text = sentence
        self.update()

    def stop(self):
        """Do not go on."""
        self._steps = None

    def close(self):
        """Nothing goes on, nothing is observed."""
        self.stop()
        self.removeObservers()

    def _follow(self):
        """Its segments may come, go and change elsewhere."""
        parameters = self.context.parameterNode
        node = parameters.reference if parameters is not None else None
        if node is self._followed:
            return
        self.removeObservers()
        self._followed = node
        for event in EDITS if node is not None else ():
            self.addObserver(node, event, self._onReferenceEdited)

    def _onReferenceEdited(self, caller=None, event=None):
        self.update()

    # --- what is shown ---

    def update(self):
        """Show what is chosen and whether it can be compared."""
        self._follow()
        combo = self.ui.referenceSegmentComboBox
        references = self._references()
        blocked = combo.blockSignals(True)
        combo.clear()
        for key, name in references:
            combo.addItem(name, key)
        combo.setCurrentIndex(combo.findData(self._chosen()) if references else -1)
        combo.blockSignals(blocked)
        combo.enabled = bool(references)
        button, running = self.ui.compareButton, self._steps is not None
        problem = "" if running else self._problem()
        button.text = _("Stop comparing") if running else _("Compare")
        button.enabled = not problem
        button.toolTip = problem or _("Dice coefficient, and 95th percentile of the distance of the surfaces (HD95).")
        if not running and self.ui.compareLabel.text and self._subject() != self._shownFor:
            self.ui.compareLabel.text = ""  # it was about another segment
        self.ui.compareLabel.visible = bool(self.ui.compareLabel.text)
