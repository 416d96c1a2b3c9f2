"""Carry the annotation through the volume: run, preview, accept or reject."""

import math

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..scene import geometry
from .panel import Panel
from .ranges import asRange, rangeOf
from .runner import runnerOf
from .shortcuts import Shortcuts, withKeys


def timeLeft(seconds):
    """How long it takes, in words."""
    if seconds < 60:
        return _("{seconds} s left").format(seconds=max(math.ceil(seconds), 1))
    return _("{minutes} min left").format(minutes=math.ceil(seconds / 60))


class PropagatePanel(Panel):
    """The second section."""

    uiName = "Propagate"

    def __init__(self, context, layout):
        Panel.__init__(self, context, layout)
        self.runner = runnerOf(context)
        ui = self.ui
        ui.rejectButton.toolTip = withKeys(_("Let the result go; nothing is changed."), "reject")
        ui.propagateButton.connect("clicked()", self.runner.toggle)
        ui.acceptButton.connect("clicked()", self.accept)
        ui.rejectButton.connect("clicked()", self.reject)
        ui.startHereButton.connect("clicked()", self.startHere)
        ui.endHereButton.connect("clicked()", self.endHere)
        ui.clearRangeButton.connect("clicked()", self.clearRange)
        self.shortcuts = Shortcuts({"propagate": self.runner.toggle, "accept": self.accept, "reject": self.reject})
        self.runner.changed.connect(self.update)
        for signal in (context.annotationChanged, context.selectionChanged, context.accepted):
            signal.connect(self.update)
        context.parameterNodeChanged.connect(self._onParameterNodeChanged)
        self.addObserver(
            slicer.mrmlScene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved, priority=100.0
        )
        self._preview = None
        self.update()

    def cleanup(self):
        """Nothing goes on, nothing waits."""
        self.runner.cancel()
        self.runner.reject()
        Panel.cleanup(self)

    # --- buttons ---

    def accept(self):
        """Write the result."""
        qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
        try:
            self.runner.accept()
        finally:
            qt.QApplication.restoreOverrideCursor()

    def reject(self):
        """Let the result go."""
        self.runner.reject()

    def startHere(self):
        """One end of the organ is the slice on screen."""
        self._setEnd(start=True)

    def endHere(self):
        """The other end of the organ is the slice on screen."""
        self._setEnd(start=False)

    def _setEnd(self, start):
        context = self.context
        parameters = context.parameterNode
        if parameters is None or context.volumeNode is None:
            context.fail(_("Choose a volume first."))
            return
        axis = self.runner.facts.of().axis
        here = context.currentSlice(axis)
        if here is None:
            if axis is None:
                words = _("No slice view lies along the volume; rotate one to the volume plane.")
            else:
                words = _("No slice view shows {word} slices of the volume; rotate one to the volume plane.").format(
                    word=geometry.axisWord(context.volumeNode, axis)
                )
            context.fail(words)
            return
        axis, index = here
        last = geometry.volumeShape(context.volumeNode)[axis] - 1
        ends = rangeOf(context, axis) or (0, last)
        ends = (index, ends[1]) if start else (ends[0], index)
        # "starts" at the top is as good as at the bottom: there are two ends, whatever they are called
        with slicer.util.NodeModify(parameters):
            parameters.rangeAxis = axis
            parameters.firstSlice, parameters.lastSlice = min(ends), max(ends)
            parameters.useRange = True

    def clearRange(self):
        """Look in the whole volume."""
        parameters = self.context.parameterNode
        if parameters is not None:
            with slicer.util.NodeModify(parameters):
                parameters.useRange = False
                parameters.firstSlice = parameters.lastSlice = 0

    # --- what happens elsewhere ---

    def parameterModified(self):
        """How the preview is shown, the range or the segments may be others."""
        parameters = self.context.parameterNode
        if parameters is None:
            return
        preview = (parameters.previewOpacity, parameters.previewFill, parameters.preview3D)
        if preview != self._preview:
            self._preview = preview
            self.runner.showPreview()
        self.update()

    def _onParameterNodeChanged(self):
        """Another scene: what waits belongs to the old one."""
        self.runner.drop()
        parameters = self.context.parameterNode
        if parameters is not None:
            self._preview = (parameters.previewOpacity, parameters.previewFill, parameters.preview3D)
        self.update()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node):
        proposal = self.context.proposal
        if proposal is not None and node in (proposal.volumeNode, proposal.segmentationNode):
            self.runner.reject(
                _("{name} was removed: the preview of its result is gone too.").format(name=node.GetName())
            )

    # --- what is shown ---

    def update(self, *_ignored):
        """Show what can be done, what is running and what waits."""
        self._updateRange()
        self._updateButton()
        self._updateProgress()
        self._updatePreview()

    def _updateRange(self):
        parameters, volume = self.context.parameterNode, self.context.volumeNode
        ui = self.ui
        for button in (ui.startHereButton, ui.endHereButton, ui.useRangeCheckBox):
            button.enabled = volume is not None
        used = parameters is not None and volume is not None and parameters.useRange
        ui.clearRangeButton.enabled = used
        if not used:
            ui.rangeLabel.text = _("All slices")
            return
        limits = rangeOf(self.context, parameters.rangeAxis)
        drawn = self.runner.facts.of().axis
        if limits is None:
            text = _("All slices: choose the ends")
        elif drawn not in (None, parameters.rangeAxis):
            text = _("All slices: these ends are of {word} slices").format(
                word=geometry.axisWord(volume, parameters.rangeAxis)
            )
        else:
            text = _("{word} slices {range}").format(
                word=geometry.axisWord(volume, parameters.rangeAxis), range=asRange(*limits)
            )
        ui.rangeLabel.text = text

    def _updateButton(self):
        button, runner = self.ui.propagateButton, self.runner
        if runner.running:
            button.text = _("Cancelling…") if runner.cancelling else _("Cancel")
            button.enabled = not runner.cancelling
            button.toolTip = withKeys(_("Stop; nothing is changed."), "propagate")
            self.showText(self.ui.reasonLabel, "")
            return
        plan = runner.plan()
        button.text = _("Propagate")
        button.enabled = not plan.reason
        can = _("Find the annotated organ in the other slices; what is found is shown first.")
        button.toolTip = plan.reason or withKeys(can, "propagate")
        self.showText(self.ui.reasonLabel, plan.reason or plan.remark)

    def _updateProgress(self):
        ui, job = self.ui, self.runner.job
        ui.progressBar.visible = job is not None
        ui.progressLabel.visible = job is not None
        if job is None:
            return
        progress = job.progress
        if progress is None or not progress.total:
            ui.progressBar.setRange(0, 0)
            ui.progressLabel.text = _("Preparing…")
            return
        ui.progressBar.setRange(0, progress.total)
        ui.progressBar.setValue(progress.done)
        text = _("{done} of {total} slices").format(done=progress.done, total=progress.total)
        if progress.secondsLeft is not None:
            text = _("{count}, {time}").format(count=text, time=timeLeft(progress.secondsLeft))
        ui.progressLabel.text = text

    def _updatePreview(self):
        ui, proposal = self.ui, self.context.proposal
        ui.previewFrame.visible = proposal is not None
        if proposal is None:
            return
        ui.previewLabel.text = _(
            "Preview of {names}, by the weights {weights}. Nothing is changed before you accept it."
        ).format(names=", ".join(self._names(proposal)), weights=proposal.info["weightsName"])
        problem = self.runner.proposalProblem()
        ui.acceptButton.enabled = not problem
        can = _("Write the result into the segmentation, as one step for undo.")
        ui.acceptButton.toolTip = problem or withKeys(can, "accept")
        erased = [
            _("Nothing of {name} was found: to accept this erases it.").format(name=name)
            for name in self.runner.emptied()
        ]
        notes = [*erased, *proposal.notes, *([problem] if problem else [])]
        self.showText(ui.notesLabel, "\n".join(f"⚠ {note}" for note in notes))

    @staticmethod
    def _names(proposal):
        node = proposal.segmentationNode
        segments = [] if node is None else [node.GetSegmentation().GetSegment(key) for key in proposal.results]
        return [segment.GetName() for segment in segments if segment is not None]
