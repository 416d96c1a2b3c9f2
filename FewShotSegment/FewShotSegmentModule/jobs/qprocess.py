"""The worker's process by Qt: what it writes arrives through Slicer's event loop, without threads."""

import os

import qt

POLL_MILLISECONDS = 1


class QProcessTransport:
    """A `FewShotSegmentLib.worker.transport.Transport` on a QProcess; used for one start.

    Nothing here waits: the worker ends when its input is closed, which also happens when Slicer itself ends in whatever
    way, and the client's timer kills one that does not.
    """

    def __init__(self):
        self._process = None
        self._onOutput = self._onLog = self._onFinished = None

    def start(self, command, environment, on_output, on_log, on_finished):
        """Start it; that it could not be started is told by `on_finished(None)`."""
        self._onOutput, self._onLog, self._onFinished = on_output, on_log, on_finished
        process = qt.QProcess()
        process.setProcessChannelMode(qt.QProcess.SeparateChannels)
        if environment is not None:
            variables = qt.QProcessEnvironment()
            for name, value in environment.items():
                variables.insert(name, value)
            process.setProcessEnvironment(variables)
        process.connect("readyReadStandardOutput()", self._readOutput)
        process.connect("readyReadStandardError()", self._readLog)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._failed)
        self._process = process
        process.start(command[0], list(command[1:]))

    def write(self, data):
        """Send to its stdin; Qt keeps what the worker does not take at once."""
        if self._process is not None:
            self._process.write(data)

    def close_input(self):
        """Close its stdin, once everything has been sent."""
        if self._process is not None:
            self._process.closeWriteChannel()

    def kill(self):
        """End it by force."""
        if self._process is not None:
            self._process.kill()

    def poll(self):
        """Let Qt deliver what has arrived: a script that waits for a result runs no event loop."""
        if self._process is not None:
            self._process.waitForReadyRead(POLL_MILLISECONDS)

    @property
    def running(self):
        """Whether it runs or is being started."""
        return self._process is not None

    def _readOutput(self):
        if self._process is not None:
            self._deliver(self._process.readAllStandardOutput(), self._onOutput)

    def _readLog(self):
        if self._process is not None:
            self._deliver(self._process.readAllStandardError(), self._onLog)

    @staticmethod
    def _deliver(received, callback):
        data = received.data()
        if data:
            callback(data)

    def _finished(self, exitCode, exitStatus):
        self._readOutput()
        self._readLog()
        if exitStatus != qt.QProcess.NormalExit and os.name != "nt":
            exitCode = -exitCode  # Qt gives the signal's number; Python's way to say so is below zero
        self._end(exitCode)

    def _failed(self, error):
        # the other errors come with finished() or pass
        if error == qt.QProcess.FailedToStart:
            self._end(None)

    def _end(self, exitCode):
        process, self._process = self._process, None
        callback, self._onFinished = self._onFinished, None
        self._onOutput = self._onLog = None
        if process is not None:
            process.deleteLater()  # not at once: this is called from within its own signal
        if callback is not None:
            callback(exitCode)
