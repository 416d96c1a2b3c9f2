"""The controls of the effect."""

import ctk
import qt
from slicer.i18n import tr as _

from ..panels.background import showProgress


class EffectOptions:
    """Widgets only; what they do is connected by the effect.

    propagateButton turns into Cancel while a run goes on.
    """

    def __init__(self):
        self.statusLabel = qt.QLabel()
        self.statusLabel.setObjectName("fewShotStatusLabel")
        self.statusLabel.setWordWrap(True)

        self.propagateButton = self._button("fewShotPropagateButton", _("Propagate"), "")
        self.progressBar = qt.QProgressBar()
        self.progressBar.setObjectName("fewShotProgressBar")
        self.progressBar.setTextVisible(False)  # the status line says it, with the time left
        self.progressBar.setVisible(False)

        self.opacitySlider = ctk.ctkSliderWidget()
        self.opacitySlider.setObjectName("fewShotOpacitySlider")
        self.opacitySlider.minimum = 0.0
        self.opacitySlider.maximum = 1.0
        self.opacitySlider.singleStep = 0.05
        self.opacitySlider.setToolTip(_("Opacity of the preview"))
        self.show3DCheckBox = qt.QCheckBox(_("Show in 3D"))
        self.show3DCheckBox.setObjectName("fewShotShow3DCheckBox")
        self.show3DCheckBox.setToolTip(_("Show the preview in the 3D views, too"))

        self.acceptButton = self._button(
            "fewShotAcceptButton", _("Accept"), _("Write the preview into the segment, as one step of Undo")
        )
        self.rejectButton = self._button(
            "fewShotRejectButton", _("Reject"), _("Drop the preview; the segment stays as it is")
        )

    def addTo(self, scriptedEffect):
        """Put the widgets into the effect's part of the editor."""
        scriptedEffect.addOptionsWidget(self.statusLabel)
        scriptedEffect.addOptionsWidget(self.propagateButton)
        scriptedEffect.addOptionsWidget(self.progressBar)
        scriptedEffect.addLabeledOptionsWidget(_("Preview:"), self.opacitySlider)
        scriptedEffect.addOptionsWidget(self.show3DCheckBox)
        buttons = qt.QHBoxLayout()
        buttons.addWidget(self.acceptButton)
        buttons.addWidget(self.rejectButton)
        scriptedEffect.addOptionsWidget(buttons)

    def showState(self, sentence, problem, job, hasProposal):
        """Bring all widgets in line with what goes on.

        sentence: for the status line.
        problem: why Propagate cannot run; empty if it can.
        job: the run, or None.
        """
        running = job is not None
        self.statusLabel.setText(sentence)
        self.propagateButton.setText(_("Cancel") if running else _("Propagate"))
        self.propagateButton.setEnabled(running or not problem)
        self.propagateButton.setToolTip(
            _("Stop; the segment stays as it is")
            if running
            else problem or _("Carry the annotated slices of the selected segment through the volume")
        )
        if running:
            showProgress(self.progressBar, job.progress)
        else:
            self.progressBar.setVisible(False)
        for widget in (self.opacitySlider, self.show3DCheckBox, self.acceptButton, self.rejectButton):
            widget.setEnabled(hasProposal and not running)

    @staticmethod
    def _button(name, text, toolTip):
        button = qt.QPushButton(text)
        button.setObjectName(name)
        button.setToolTip(toolTip)
        return button
