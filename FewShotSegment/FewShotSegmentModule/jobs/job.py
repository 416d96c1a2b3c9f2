"""One piece of work that runs while the user goes on: steps of our own, and requests that the worker answers."""

import logging
import traceback
from typing import NamedTuple

from ..scene.errors import SceneError
from ..scene.i18n import _
from ..signals import Signal

WAITING, PREPARING, RUNNING = "waiting", "preparing", "running"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
SETTLED = (DONE, FAILED, CANCELLED)


class JobError(Exception):
    """A job failed; the text is one plain sentence for the user, `detail` more of it for a bug report."""

    def __init__(self, sentence, detail=""):
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail


class JobCancelled(Exception):
    """A job was cancelled; nothing was written. The text is one plain sentence."""

    def __init__(self, sentence=""):
        super().__init__(sentence or _("Cancelled: nothing was changed."))


class Progress(NamedTuple):
    """How far a job is; `secondsLeft` is None while nothing can be said."""

    done: int
    total: int
    phase: str
    secondsLeft: float | None


class Job:
    """Base of all jobs; the work is a generator, `work`.

    What `work` yields decides how it goes on: nothing (None) at the next free moment of the event loop, a request of
    `worker.messages` once the worker has answered it, with the answer as the value of the `yield`. What it returns
    becomes `result`. It raises JobError or SceneError for what the user can mend.

    host: FewShotSegmentLogic, for its client, runner and the like (its section “for jobs”).
    state: "waiting", "preparing" (own steps), "running" (the worker), "done", "failed" or "cancelled".
    progress: last Progress, or None.
    sentence: why it failed or was cancelled; empty otherwise.
    detail: of a failure, for a bug report.
    notes: sentences that the user should read, of a job that is done.
    answer: the worker's last answer.
    result: what the job made.

    Signals: changed() state or progress; finished(job) exactly once.
    """

    def __init__(self, host, title=""):
        self.title = title
        self.state = WAITING
        self.progress = None
        self.sentence = ""
        self.detail = ""
        self.notes = []
        self.answer = {}
        self.result = None
        self.changed = Signal()
        self.finished = Signal()
        self._host = host
        self._generator = None
        self._ticket = None
        self._value = None
        self._error = None
        self._turn = 0
        self._stepping = False
        self._stopSentence = None

    def work(self):
        """The work itself, a generator; see the class."""
        raise NotImplementedError

    def cleanUp(self):
        """Called once when the job is settled, before `finished`."""

    # --- for those who run it ---

    @property
    def settled(self):
        """Whether it is done, failed or cancelled."""
        return self.state in SETTLED

    def start(self):
        """Begin; returns at once in Slicer. Returns the job."""
        if self.state == WAITING and self._generator is None:
            self._generator = self.work()
            self._host.begun(self)
            self._setState(PREPARING)
            self._host.runner.add(self._advance)
        return self

    def cancel(self, sentence=""):
        """Stop; nothing of it is written. Has no effect on a settled job."""
        if self.settled:
            return
        sentence = sentence or _("Cancelled: nothing was changed.")
        if self._stepping:  # from within one of its own steps: a generator cannot be closed while it runs
            self._stopSentence = sentence
            return
        self._settle(CANCELLED, sentence=sentence)

    def wait(self):
        """Block until it is settled (for scripts).

        Returns:
            `result`.

        Raises:
            JobError: it failed.
            JobCancelled: it was cancelled.
        """
        self.start()
        while not self.settled:
            if self._ticket is not None:
                self._host.client.wait(self._ticket)
            elif self._stepping:
                raise RuntimeError("A job cannot be waited for from within its own steps")
            else:
                self._advance()
        if self.state == FAILED:
            raise JobError(self.sentence, self.detail)
        if self.state == CANCELLED:
            raise JobCancelled(self.sentence)
        return self.result

    # --- how it runs ---

    def _advance(self):
        """Do one piece; returns whether there is another one to do now."""
        if self.settled or self._generator is None or self._ticket is not None or self._stepping:
            return False
        request = end = None
        self._stepping = True
        try:
            value, error, self._value, self._error = self._value, self._error, None, None
            request = self._generator.send(value) if error is None else self._generator.throw(error)
        except StopIteration as stop:
            end = (DONE, {"result": stop.value})
        except JobError as failure:
            end = (FAILED, {"sentence": failure.sentence, "detail": failure.detail})
        except SceneError as failure:
            end = (FAILED, {"sentence": str(failure), "detail": ""})
        except JobCancelled as stop:
            end = (CANCELLED, {"sentence": str(stop)})
        except Exception:
            end = (FAILED, _ourMistake())
        finally:
            self._stepping = False
        if end is None and self._stopSentence is not None:
            end = (CANCELLED, {"sentence": self._stopSentence})
        if end is not None:
            self._settle(end[0], **end[1])
            return False
        if request is None:
            return True
        self._submit(request)
        return False

    def _submit(self, request):
        self._setState(RUNNING)
        turn = self._turn
        try:
            ticket = self._host.submit(
                request,
                onProgress=self._onProgress,
                onDone=self._onDone,
                onFailed=self._onFailed,
                onCancelled=self._onStop,
            )
        except Exception:  # the request holds what cannot be said: the job must not wait for an answer
            self._settle(FAILED, **_ourMistake())
            return
        if self._turn != turn:  # settled within submit(); what comes after it may have run already
            return
        self._ticket = ticket
        if self.settled:  # cancelled by one who was told that it is running
            self._ticket = None
            self._host.client.cancel(ticket)

    def _onProgress(self, progress):
        if self.settled:
            return
        self.progress = Progress(progress.done, progress.total, progress.phase, progress.seconds_left)
        self.changed.emit()

    def _onDone(self, answer):
        if not self.settled:
            self.answer = answer
            self._resume(answer, None)

    def _onFailed(self, failure):
        if not self.settled:
            self._resume(None, JobError(failure.sentence, failure.detail))

    def _onStop(self):
        if not self.settled:
            self._resume(None, JobCancelled())

    def _resume(self, value, error):
        self._turn += 1
        self._ticket = None
        self._value, self._error = value, error
        self._host.runner.add(self._advance)

    def _settle(self, state, *, result=None, sentence="", detail=""):
        ticket, self._ticket = self._ticket, None
        generator, self._generator = self._generator, None
        self.result, self.sentence, self.detail = result, sentence, detail
        self.state = state
        if ticket is not None:
            self._host.client.cancel(ticket)
        try:
            if generator is not None:
                generator.close()
            self.cleanUp()
        except Exception:  # it is settled all the same, and those who wait for it are told
            logging.exception("FewShotSegment: a job could not clean up")
        self._host.ended(self)
        if state == FAILED:
            self._host.remember(self.title, sentence, detail)
        self.changed.emit()
        self.finished.emit(self)

    def _setState(self, state):
        self.state = state
        self.changed.emit()


def _ourMistake():
    """What is said of the exception that is handled now."""
    logging.exception("FewShotSegment: a job failed")
    sentence = _("Something went wrong in FewShotSegment itself; please report it with Copy diagnostics.")
    return {"sentence": sentence, "detail": traceback.format_exc()}


class RequestJob(Job):
    """A single request; its result is the answer."""

    def __init__(self, host, request, title=""):
        super().__init__(host, title or request.kind)
        self._request = request

    def work(self):
        """Ask and answer."""
        return (yield self._request)
