"""A job's course: own steps and requests, and every way it can end."""

from __future__ import annotations

import job_cases
import pytest
from FewShotSegmentModule.jobs.job import Job, JobCancelled, JobError, RequestJob
from FewShotSegmentModule.jobs.steprunner import BUDGET_SECONDS, ImmediateRunner, StepRunner
from FewShotSegmentModule.scene.errors import SceneError
from job_cases import turn, until

from FewShotSegmentLib.worker.messages import Devices, Forget


class Scripted(Job):
    """A job whose work is given as a generator function."""

    def __init__(self, logic, work):
        super().__init__(logic, "Scripted")
        self.work = work
        self.cleaned = 0
        self.told = []
        self.states = []
        self.finished.connect(lambda job: self.told.append(job.state))
        self.changed.connect(lambda: self.states.append(self.state))

    def cleanUp(self):
        self.cleaned += 1


def test_steps_then_a_request_then_steps(logic):
    def work():
        yield
        answer = yield Devices()
        yield
        return answer["auto"]

    job = Scripted(logic, work).start()
    assert job.state == "preparing" and logic.busy
    until(logic, lambda: job.settled)
    assert (job.state, job.result, job.told, job.cleaned) == ("done", "cuda", ["done"], 1)
    assert job.states[:2] == ["preparing", "running"] and job.states[-1] == "done"
    assert job.progress.total == 5 and not logic.busy
    job.cancel()
    assert job.state == "done"


@pytest.mark.parametrize(
    ("error", "state", "sentence"),
    [
        (JobError("Too small.", "why"), "failed", "Too small."),
        (SceneError("No volume."), "failed", "No volume."),
        (JobCancelled("Never mind."), "cancelled", "Never mind."),
        (ZeroDivisionError(), "failed", "Something went wrong"),
    ],
)
def test_what_the_work_raises(logic, error, state, sentence):
    def work():
        yield
        raise error

    job = Scripted(logic, work).start()
    until(logic, lambda: job.settled)
    assert job.state == state and job.sentence.startswith(sentence) and job.told == [state] and job.cleaned == 1
    assert [entry.title for entry in logic.lastErrors] == (["Scripted"] if state == "failed" else [])
    with pytest.raises(JobError if state == "failed" else JobCancelled, match=sentence):
        job.wait()


def test_a_request_that_cannot_be_said_is_not_waited_for(logic, fake, caplog):
    """Without an answer to come the job would run for ever, and so would the client."""

    def work():
        yield Forget(keys=[float("nan")])

    job = Scripted(logic, work).start()
    until(logic, lambda: job.settled)
    assert job.state == "failed" and "Copy diagnostics" in job.sentence and "ProtocolError" in job.detail
    assert (job.told, job.cleaned, logic.busy, logic.client.busy) == (["failed"], 1, False, False)
    assert not fake.requests and "a job failed" in caplog.text


def test_the_worker_s_failure_can_be_handled(logic, fake):
    fake.behaviour.fail = "No."

    def work():
        try:
            yield Devices()
        except JobError as error:
            return f"told: {error.sentence}"

    assert Scripted(logic, work).wait() == "told: No."


def test_cancelled_from_within_its_own_step(logic):
    ended = []

    def work():
        try:
            job.cancel("Enough.")
            yield
            yield
        finally:
            ended.append(True)

    job = Scripted(logic, work).start()
    turn(logic, 3)
    assert (job.state, job.sentence, ended, job.told) == ("cancelled", "Enough.", [True], ["cancelled"])


def test_cancelled_by_one_who_is_told_that_it_runs(logic, fake):
    def work():
        yield Devices()

    job = Scripted(logic, work)
    job.changed.connect(lambda: job.cancel() if job.state == "running" else None)
    job.start()
    until(logic, lambda: job.settled and not logic.client.busy)
    assert job.told == ["cancelled"]


def test_waiting_for_one_does_not_need_the_others(logic, fake):
    first, second = RequestJob(logic, Devices()).start(), RequestJob(logic, Devices()).start()
    assert second.wait()["auto"] == "cuda" and not first.settled
    until(logic, lambda: first.settled)
    assert first.state == "done" and len(fake.requests) == 2


def test_only_the_last_failures_are_kept(logic):
    for number in range(15):
        logic.remember("job", f"sentence {number}")
    assert len(logic.lastErrors) == 10 and logic.lastErrors[-1].sentence == "sentence 14"


# --- runners ---


def test_immediate_runner_does_not_nest():
    order, runner = [], ImmediateRunner()

    def later():
        order.append("later")

    def first():
        runner.add(later)
        order.append("first")
        return len(order) < 3

    runner.add(first)
    assert order == ["first", "first", "first", "later", "later", "later"]


class Timer:
    running = False

    def setInterval(self, milliseconds):
        assert milliseconds == 0

    def connect(self, signal, slot):
        assert signal == "timeout()"
        self.slot = slot

    def start(self):
        self.running = True

    def stop(self):
        self.running = False


def test_step_runner_keeps_to_its_budget_and_stops():
    now = [0.0]
    timer = Timer()
    runner = StepRunner(timer, clock=lambda: now[0])
    done = []

    def piece(name, count):
        def step():
            done.append(name)
            now[0] += 0.3 * BUDGET_SECONDS
            return done.count(name) < count

        return step

    runner.add(piece("a", 6))
    runner.add(piece("b", 2))
    assert timer.running
    timer.slot()
    assert done == ["a", "b", "a", "b"]  # they take turns
    timer.slot()
    timer.slot()
    assert done.count("a") == 6 and not timer.running


def test_step_runner_is_not_entered_twice():
    timer = Timer()
    runner = StepRunner(timer)
    depth = []

    def piece():
        depth.append(True)
        timer.slot()  # a piece that lets the event loop run
        assert len(depth) == 1

    runner.add(piece)
    timer.slot()
    assert depth == [True]


def test_immediate_logic_needs_no_turns(logic):
    assert RequestJob(job_cases.immediate(logic), Devices()).wait()["threads"] == 2
