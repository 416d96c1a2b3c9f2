"""The propagation that the panel is busy with: one at a time, and what it proposes."""

import logging
from typing import NamedTuple

from slicer.i18n import tr as _

from ..jobs.job import DONE, FAILED, JobError
from ..scene.errors import SceneError
from ..signals import Signal
from .facts import factsOf
from .ranges import asRange, rangeOf


class Plan(NamedTuple):
    """What a run would do.

    segmentIds: segments that would be carried on.
    ranges: segment → (first, last) slice that may hold it.
    reason: why there can be no run; empty if there can.
    remark: what the user should know of a run; may be empty.
    """

    segmentIds: list
    ranges: dict
    reason: str
    remark: str


def _refused(reason):
    return Plan([], {}, reason, "")


class PropagationRunner:
    """Runs propagations of what is selected in the panel.

    job: what is running, or None.
    acceptCorrections: write the result of a correction at once.
    changed: signal; the job, its progress or the proposal changed.
    """

    def __init__(self, context):
        self.context = context
        self.facts = factsOf(context)
        self.job = None
        self.acceptCorrections = False
        self.changed = Signal()
        self._correcting = False
        self._cancelling = False
        self._refused = {}  # by whether it was to correct: the reason that was told
        context.proposalChanged.connect(self.changed.emit)
        context.annotationChanged.connect(self._dropWithSegment)

    # --- what can be done ---

    @property
    def running(self):
        """Whether a propagation runs."""
        return self.job is not None

    @property
    def cancelling(self):
        """Whether the running one was asked to stop and has not yet."""
        return self.running and self._cancelling

    def plan(self, correct=False):
        """What `start` would do now."""
        plan = self._plan(correct)
        told = self._refused.get(correct)
        if told and told != plan.reason:
            self._refused.pop(correct)
            self.context.takeBack(told)
        return plan

    def _plan(self, correct):
        context = self.context
        if context.volumeNode is None:
            return _refused(_("Choose a volume."))
        if context.segmentationNode is None:
            return _refused(_("Choose a segmentation, or make a new one."))
        segmentIds = context.segmentIds()
        if not segmentIds:
            everything = context.parameterNode.allVisible
            return _refused(_("No segment is visible.") if everything else _("Choose a segment, or add one."))
        return self._planCorrection(segmentIds) if correct else self._planPropagation(segmentIds)

    def _planPropagation(self, segmentIds):
        usable, problems, ranges = [], [], {}
        for segmentId in segmentIds:
            known = self.facts.of(segmentId)
            problem = self._problem(known) or self._rangeProblem(known, segmentId, ranges)
            if problem:
                problems.append(problem)
            else:
                usable.append(segmentId)
        if not usable:
            return _refused(" ".join(problems))
        remark = _("Left out: {problems}").format(problems=" ".join(problems)) if problems else ""
        return Plan(usable, ranges, "", remark)

    @staticmethod
    def _problem(known):
        if known.problem:
            return known.problem
        if not known.accepted or not known.occupied:
            return known.annotation.problem
        if known.anchors:
            return ""
        if known.table.adopted:
            words = _("{name} is taken as complete: mend a slice, then update from your corrections.")
        else:
            words = _("All anchors of {name} were removed: draw it on a slice.")
        return words.format(name=known.annotation.name)

    def _rangeProblem(self, known, segmentId, ranges):
        """Why the range keeps a segment from being carried on; notes its range if it does not."""
        limits = rangeOf(self.context, known.axis)
        if limits is None:
            return ""
        first, last = limits
        outside = [index for index in known.anchors if not first <= index <= last]
        if not outside:
            ranges[segmentId] = (first, last)
            return ""
        return _("{name} is drawn on {slices}, outside of slices {range}: widen or clear them.").format(
            name=known.annotation.name, slices=self.facts.places(known.axis, outside), range=asRange(first, last)
        )

    def _planCorrection(self, segmentIds):
        edited, ranges = [], {}
        for segmentId in segmentIds:
            known = self.facts.of(segmentId)
            if known.corrections:
                edited.append(segmentId)
                self._rangeProblem(known, segmentId, ranges)  # a correction outside of the range is meant as it is
        if edited:
            return Plan(edited, ranges, "", "")
        known = [self.facts.of(segmentId) for segmentId in segmentIds]
        if not any(one.accepted for one in known):
            return _refused(known[0].problem or _("Nothing was propagated yet: press Propagate first."))
        return _refused(_("Nothing was changed since the last result: mend a slice first."))

    # --- doing it ---

    def start(self, correct=False):
        """Begin; returns whether it could. What went wrong is told in the panel."""
        context = self.context
        if self.running:
            return False
        self.facts.forget()  # a stroke of just now may not have been told yet
        plan = self.plan(correct)
        if plan.reason:
            self._refused[correct] = plan.reason
            context.fail(plan.reason)
            return False
        if not context.ensureReady(lambda: self.start(correct)):
            return False
        context.say("")  # what went wrong the last time is no news any more
        if context.proposal is not None:
            self.reject(_("The earlier preview was let go; nothing of it had been written."))
        parameters = context.parameterNode
        try:
            job = context.logic.startPropagation(
                context.volumeNode,
                context.segmentationNode,
                plan.segmentIds,
                ranges=plan.ranges or None,
                device=parameters.device,
                weights=parameters.weights or None,
                correct=correct,
            )
        except (JobError, SceneError) as error:
            context.fail(str(error))
            return False
        self._correcting, self._cancelling = correct, False
        self.job = job
        job.changed.connect(self.changed.emit)
        job.finished.connect(self._onFinished)
        if job.settled:  # by `startPropagation` itself, before it could be listened to
            self._onFinished(job)
        self.changed.emit()
        return True

    def cancel(self):
        """Stop what is running; nothing of it is written."""
        if self.running and not self._cancelling:
            self._cancelling = True
            self.changed.emit()
            self.job.cancel()

    def toggle(self):
        """Start, or stop what is running."""
        if self.running:
            self.cancel()
        else:
            self.start()

    def _onFinished(self, job):
        if job is not self.job:
            return
        self.job = None
        self._cancelling = False
        if job.state == DONE:
            self._propose(job.result)
        elif job.state == FAILED:
            self.context.fail(job.sentence)
        else:
            self.context.say(job.sentence)
        self.changed.emit()

    def _propose(self, proposal):
        context = self.context
        context.proposal = proposal
        if self._dropWithSegment():
            return
        if self._correcting and self.acceptCorrections:
            if not self.accept():
                self.showPreview()
            elif proposal.notes:
                context.warn(" ".join(proposal.notes))
            return
        self.showPreview()
        context.say(_("This is a preview: accept or reject it."))  # its notes are shown beside these buttons

    def showPreview(self):
        """Show the waiting proposal the way that is chosen."""
        proposal, parameters = self.context.proposal, self.context.parameterNode
        if proposal is None or parameters is None:
            return
        try:
            proposal.showPreview(parameters.previewOpacity, parameters.previewFill, parameters.preview3D)
        except Exception:  # the result is there all the same
            logging.exception("FewShotSegment: no preview")
            self.context.warn(_("The preview could not be shown; Accept writes the result."))

    def emptied(self):
        """Names of segments that the waiting proposal would leave without a voxel."""
        proposal = self.context.proposal
        node = None if proposal is None else proposal.segmentationNode
        found = (
            []
            if node is None
            else [key for key, result in proposal.results.items() if not result.mask.view(bool).any()]
        )
        segments = [node.GetSegmentation().GetSegment(key) for key in found]
        return [segment.GetName() for segment in segments if segment is not None]

    def _dropWithSegment(self):
        """Let the proposal go if a segment of it is there no more; returns whether it went."""
        proposal = self.context.proposal
        node = None if proposal is None else proposal.segmentationNode
        if node is None or all(node.GetSegmentation().GetSegment(key) is not None for key in proposal.results):
            return False
        self.reject(_("A segment was removed: its result is gone too, nothing was changed."))
        return True

    def proposalProblem(self):
        """Why the waiting proposal cannot be accepted now, a sentence; empty if it can, or if there is none."""
        proposal = self.context.proposal
        if proposal is None:
            return ""
        node = proposal.segmentationNode
        if not proposal.problem and node is not self.context.segmentationNode:
            return _("This preview is of {name}: choose that segmentation to accept it.").format(name=node.GetName())
        return proposal.problem

    def accept(self):
        """Write the proposal as one step that can be undone; returns whether it was written."""
        context = self.context
        proposal = context.proposal
        if proposal is None:
            return False
        problem = self.proposalProblem()
        if problem:
            context.fail(problem)
            return False
        segmentIds = list(proposal.results)
        try:
            context.logic.accept(proposal, editor=context.editor)
        except (JobError, SceneError) as error:
            context.fail(str(error))
            return False
        except Exception:
            logging.exception("FewShotSegment: a result could not be written")
            context.fail(_("The result could not be written; please report it with Copy diagnostics."))
            return False
        self.facts.forget()
        context.proposal = None
        context.say(_("Accepted. Undo in the editor brings back what was there."))
        context.accepted.emit(segmentIds)
        context.annotationChanged.emit()
        return True

    def drop(self):
        """Forget what belongs to a scene that is gone."""
        self.cancel()
        proposal = self.context.proposal
        if proposal is not None:
            self.context.proposal = None
            self._discard(proposal)
            self.context.say(_("The scene was closed or another one loaded: the preview is gone, nothing was written."))

    def reject(self, sentence=""):
        """Let the proposal go."""
        proposal = self.context.proposal
        if proposal is None:
            return
        self.context.proposal = None
        self._discard(proposal)
        self.context.say(sentence or _("Rejected: nothing was changed."))

    def _discard(self, proposal):
        try:
            self.context.logic.reject(proposal)
        except Exception:
            logging.exception("FewShotSegment: a preview could not be removed")


def runnerOf(context):
    """The one that all sections share."""
    if getattr(context, "runner", None) is None:
        context.runner = PropagationRunner(context)
    return context.runner
