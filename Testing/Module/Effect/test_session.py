"""What the Segment Editor effect does between its buttons, without Qt, Slicer's editor and engine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


class FakeJob:
    """A run that the test ends."""

    def __init__(self, signal):
        self.state, self.sentence, self.notes, self.result, self.progress = "running", "", [], None, None
        self.changed, self.finished = signal(), signal()
        self.settled = False

    def cancel(self):
        if not self.settled:
            self.end("cancelled", sentence="Cancelled: nothing was changed.")

    def end(self, state, *, result=None, sentence="", notes=()):
        self.state, self.result, self.sentence, self.notes, self.settled = state, result, sentence, list(notes), True
        self.changed.emit()
        self.finished.emit(self)


class FakeProposal:
    def __init__(self):
        self.valid, self.shown, self.discarded = True, None, False

    def showPreview(self, **how):
        self.shown = how

    def hidePreview(self):
        self.shown = None

    def discard(self):
        self.shown, self.discarded = None, True


class FakeLogic:
    def __init__(self, signal, error):
        self.jobs, self.asked, self.accepted, self._signal, self._error = [], [], [], signal, error
        self.refuses = ""

    def getParameterNode(self):
        return SimpleNamespace(device="cuda", weights="")

    def startPropagation(self, volume, segmentation, segments, *, correct, device, weights):
        if self.refuses:
            raise self._error(self.refuses)
        self.asked.append((volume, segmentation, segments, correct, device, weights))
        self.jobs.append(FakeJob(self._signal))
        return self.jobs[-1]

    def accept(self, proposal, editor):
        if self.refuses:
            raise self._error(self.refuses)
        self.accepted.append((proposal, editor))


@pytest.fixture
def logic(module):
    from FewShotSegmentModule.jobs.job import JobError
    from FewShotSegmentModule.signals import Signal

    return FakeLogic(Signal, JobError)


@pytest.fixture
def session(logic):
    from FewShotSegmentModule.effect.session import EffectSession

    made = EffectSession(lambda: logic)
    made.activate()
    return made


@pytest.fixture
def proposal(session, logic):
    """A session whose run is done."""
    session.propagate("volume", "segmentation", "liver")
    made = FakeProposal()
    logic.jobs[0].end("done", result=made, notes=["The organ reaches the last slice."])
    return made


def test_run_ends_in_a_preview(session, logic):
    told = []
    session.changed.connect(lambda: told.append((session.job is not None, session.proposal is not None)))
    session.propagate("volume", "segmentation", "liver", correct=True)
    assert logic.asked == [("volume", "segmentation", ["liver"], True, "cuda", None)]
    made = FakeProposal()
    logic.jobs[0].end("done", result=made, notes=["Look at the ends."])
    assert made.shown == {"opacity": 0.6, "show3D": False}
    assert session.sentence == "Look at the ends."
    assert told[0] == (True, False)
    assert told[-1] == (False, True)


def test_second_click_starts_no_second_run(session, logic):
    session.propagate("volume", "segmentation", "liver")
    session.propagate("volume", "segmentation", "liver")
    assert len(logic.jobs) == 1


def test_new_run_drops_the_proposal(session, logic, proposal):
    session.propagate("volume", "segmentation", "liver")
    assert proposal.discarded
    assert session.proposal is None


def test_cancel_is_said_and_leaves_nothing(session, logic):
    session.propagate("volume", "segmentation", "liver")
    session.cancel()
    assert (session.job, session.proposal) == (None, None)
    assert session.sentence == "Cancelled: nothing was changed."


def test_failure_is_said(session, logic):
    session.propagate("volume", "segmentation", "liver")
    logic.jobs[0].end("failed", sentence="The engine has stopped; try again.")
    assert session.sentence == "The engine has stopped; try again."
    session.propagate("volume", "segmentation", "liver")
    assert session.sentence == ""


def test_refusal_at_the_start_is_said(session, logic):
    logic.refuses = "liver is not drawn yet: draw it on one slice."
    session.propagate("volume", "segmentation", "liver")
    assert session.sentence == logic.refuses
    assert session.job is None


def test_accept_writes_through_the_editor_of_the_effect(session, logic, proposal):
    assert session.accept("editor")
    assert logic.accepted == [(proposal, "editor")]
    assert session.proposal is None
    assert "Undo" in session.sentence
    assert not session.accept("editor")


def test_proposal_that_fits_no_more_is_dropped_with_a_sentence(session, logic, proposal):
    logic.refuses = "The segment was changed: run again."
    assert not session.accept("editor")
    assert proposal.discarded
    assert session.sentence == logic.refuses


def test_reject_drops(session, proposal):
    session.reject()
    assert proposal.discarded
    assert (session.proposal, session.sentence) == (None, "")


def test_other_effect_hides_the_preview_and_coming_back_shows_it(session, proposal):
    session.deactivate()
    assert proposal.shown is None
    assert session.proposal is proposal
    session.activate()
    assert proposal.shown == {"opacity": 0.6, "show3D": False}


def test_run_goes_on_while_another_effect_is_used(session, logic):
    session.propagate("volume", "segmentation", "liver")
    session.deactivate()
    made = FakeProposal()
    logic.jobs[0].end("done", result=made)
    assert made.shown is None
    assert session.proposal is made
    session.activate()
    assert made.shown is not None


def test_segment_changed_meanwhile_drops_the_proposal_with_a_sentence(session, proposal):
    session.deactivate()
    proposal.valid = False
    session.activate()
    assert proposal.discarded
    assert "changed since" in session.sentence


def test_what_was_read_is_not_said_again(session, logic):
    session.propagate("volume", "segmentation", "liver")
    logic.jobs[0].end("failed", sentence="The engine has stopped; try again.")
    session.deactivate()
    session.activate()
    assert session.sentence == ""


def test_display_is_kept_for_the_next_preview(session, logic, proposal):
    session.setDisplay(0.2, True)
    assert proposal.shown == {"opacity": 0.2, "show3D": True}
    session.deactivate()
    session.setDisplay(0.3, True)
    assert proposal.shown is None
    session.activate()
    assert proposal.shown == {"opacity": 0.3, "show3D": True}


def test_editor_that_goes_ends_the_run_and_tells_no_one(session, logic):
    told = []
    session.changed.connect(lambda: told.append(1))
    session.propagate("volume", "segmentation", "liver")
    told.clear()
    session.close()
    assert logic.jobs[0].state == "cancelled"
    assert told == []


def test_proposal_goes_with_the_editor(session, proposal):
    session.close()
    assert proposal.discarded
