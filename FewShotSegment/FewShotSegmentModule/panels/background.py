"""What a section has running with the engine: one thing at a time, told in a label and a progress bar of its own."""

from slicer.i18n import tr as _

from ..jobs.job import CANCELLED, DONE, JobError
from ..scene.errors import SceneError
from ..signals import Signal

BAR_STEPS = 1000
ROW_HEIGHT = 22
"""Of tables, in pixels: Qt's own rows are a third higher than their text needs."""


class Background:
    """Runs one job of a section at a time.

    job: what runs, or None.
    changed: signal; it began, went on, or ended.
    """

    def __init__(self, fail):
        """Make one.

        Args:
            fail: called with the sentence of a job that failed.
        """
        self.job = None
        self.changed = Signal()
        self._fail = fail
        self._onDone = None
        self._onEnd = None

    @property
    def busy(self):
        """Whether something runs."""
        return self.job is not None

    def run(self, start, onDone=None, onEnd=None):
        """Start a job.

        Args:
            start: makes and starts the job; what it raises is told as a failure.
            onDone: called with the job if it is done.
            onEnd: called with the job however it ends, after `onDone`.

        Returns:
            Whether it began.
        """
        if self.busy:
            return False
        try:
            job = start()
        except (JobError, SceneError) as error:
            self._fail(str(error))
            return False
        self.job, self._onDone, self._onEnd = job, onDone, onEnd
        job.changed.connect(self.changed.emit)
        job.finished.connect(self._finished)
        if job.settled:  # before it could be listened to
            self._finished(job)
        else:
            self.changed.emit()
        return True

    def cancel(self):
        """Stop what runs."""
        if self.busy:
            self.job.cancel()

    def _finished(self, job):
        if job is not self.job:
            return
        onDone, onEnd = self._onDone, self._onEnd
        self.job = self._onDone = self._onEnd = None
        if job.state == DONE:
            if onDone is not None:
                onDone(job)
        elif job.state != CANCELLED:
            self._fail(job.sentence)
        if onEnd is not None:
            onEnd(job)
        self.changed.emit()


def barValue(progress):
    """How far a progress bar of `BAR_STEPS` is; None while nothing can be said."""
    if progress is None or not progress.total:
        return None
    return int(BAR_STEPS * min(progress.done / progress.total, 1.0))


def showProgress(bar, progress):
    """Show progress in a bar; one that says nothing yet only moves."""
    value = barValue(progress)
    bar.visible = True
    bar.setRange(0, 0 if value is None else BAR_STEPS)
    if value is not None:
        bar.setValue(value)


def progressSentence(progress):
    """Progress in words, with the time left."""
    if progress is None:
        return _("Preparing…")
    words = progress.phase or _("Computing")  # the engine speaks English, in its sentences as well
    words = words[:1].upper() + words[1:]
    if progress.total:
        words = _("{what}: {done} of {total}").format(what=words, done=progress.done, total=progress.total)
    if progress.secondsLeft is None:
        return words + "…"
    return _("{what}, about {time} left").format(what=words, time=duration(progress.secondsLeft))


def duration(seconds):
    """A time in words."""
    if seconds < 90:
        return _("{count} s").format(count=max(1, round(seconds)))
    return _("{count} min").format(count=round(seconds / 60))
