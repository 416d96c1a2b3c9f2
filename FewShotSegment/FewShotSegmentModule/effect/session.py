"""What the effect does, without Qt: one run at a time, and its proposal until it is accepted or rejected."""

import logging

from ..jobs.job import DONE, FAILED, JobError
from ..scene.errors import SceneError
from ..scene.i18n import _
from ..signals import Signal


class EffectSession:
    """The propagation of one Segment Editor.

    Nothing is lost by choosing another effect: the run goes on, and a proposal waits without its preview until the
    effect is chosen again. It is dropped, with a sentence, only if the segment has been changed since.

    getLogic: called at the first run; gives the logic that the panel uses, hence the same worker.
    job: the run, or None.
    proposal: what waits for Accept or Reject, or None.
    sentence: what the user should read, empty if there is nothing to say.
    opacity, show3D: how the preview is shown.

    Signals: changed().
    """

    def __init__(self, getLogic):
        self.job = None
        self.proposal = None
        self.sentence = ""
        self.opacity = 0.6
        self.show3D = False
        self.changed = Signal()
        self._getLogic = getLogic
        self._active = False

    # --- what the buttons do ---

    def propagate(self, volumeNode, segmentationNode, segmentId, correct=False):
        """Carry the segment's annotated slices through the volume; a proposal that waits is dropped.

        Device and weights are those that are chosen in the panel.

        correct: only the neighborhood of the slices that were edited since the last Accept.
        """
        if self.job is not None:
            return
        self._drop()
        self.sentence = ""
        try:
            logic = self._getLogic()
            chosen = logic.getParameterNode()
            job = logic.startPropagation(
                volumeNode,
                segmentationNode,
                [segmentId],
                correct=correct,
                device=chosen.device,
                weights=chosen.weights or None,
            )
        except (JobError, SceneError) as error:
            self.say(str(error))
            return
        self.job = job
        job.changed.connect(self.changed.emit)
        job.finished.connect(self._onFinished)
        if job.settled:  # before there was someone to tell
            self._onFinished(job)
        else:
            self.changed.emit()

    def cancel(self):
        """Stop the run; nothing of it is written."""
        if self.job is not None:
            self.job.cancel()

    def accept(self, editor):
        """Write the proposal through the editor, as one undo step; returns whether it was written."""
        if self.proposal is None:
            return False
        try:
            self._getLogic().accept(self.proposal, editor)
        except (
            JobError,
            SceneError,
        ) as error:  # the segment was changed meanwhile, or is gone: the proposal fits no more
            self._drop()
            self.say(str(error))
            return False
        self.proposal = None
        self.say(_("Accepted. Edit any slice and propagate again to correct it; Undo takes it back."))
        return True

    def reject(self):
        """Drop the proposal; the segment is as it was."""
        self._drop()
        self.say("")

    # --- how it is shown ---

    def setDisplay(self, opacity, show3D):
        """How the preview is shown, now and later."""
        self.opacity, self.show3D = opacity, show3D
        self._show()

    def activate(self):
        """The effect was chosen: show what waits."""
        self._active = True
        if self.proposal is not None and not self.proposal.valid:
            self._drop()
            self.sentence = _("The segment was changed since, so the proposal no longer fits it: propagate again.")
        self._show()
        self.changed.emit()

    def deactivate(self):
        """Another effect was chosen: no preview stays in the scene."""
        self._active = False
        if self.proposal is not None:
            self.proposal.hidePreview()
        elif self.job is None:
            self.sentence = ""  # was read, and speaks of what may have changed when the user is back

    def close(self):
        """The editor goes: stop the run, drop the proposal, tell no one."""
        self.changed.clear()
        self._active = False
        self.cancel()
        self._drop()

    # --- inside ---

    def _onFinished(self, job):
        if job is not self.job:
            return
        self.job = None
        if job.state == DONE:
            self.proposal = job.result
            self.sentence = " ".join(job.notes)
            self._show()
        else:
            self.sentence = job.sentence
            if job.state == FAILED:
                logging.warning("FewShotSegment: %s", job.sentence)
        self.changed.emit()

    def _show(self):
        if self._active and self.proposal is not None:
            self.proposal.showPreview(opacity=self.opacity, show3D=self.show3D)

    def _drop(self):
        proposal, self.proposal = self.proposal, None
        if proposal is not None:
            proposal.discard()

    def say(self, sentence):
        """Something that the user should read."""
        self.sentence = sentence
        self.changed.emit()
