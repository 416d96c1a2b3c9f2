"""A file from the internet, in the background: checked before it is there."""

import hashlib
import logging
import os
import tempfile
import threading
import urllib.request

from ..scene.i18n import _

_CHUNK = 1 << 18
_TIMEOUT_SECONDS = 30


class Download:
    """Fetches one file in a thread; the thread touches nothing of Slicer's.

    done, total: bytes; `total` is 0 while nobody has said.
    path: where the file will be, only if it is whole and has the right checksum.
    error: one sentence, empty if there is none.
    """

    def __init__(self, uri, path, sha256):
        self.path = path
        self.done = 0
        self.total = 0
        self.error = ""
        self._uri = uri
        self._sha256 = sha256
        self._cancelled = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="FewShotSegment download", daemon=True)

    def start(self):
        """Begin, unless the right file is there already."""
        self._thread.start()

    def poll(self):
        """Whether it has ended; called from a timer."""
        # waiting a moment lets the thread run even where nothing else gives it the interpreter
        self._thread.join(0.01)
        if self._thread.is_alive():
            return False
        if self._failure is not None and not self.error:
            logging.error("FewShotSegment: the download failed", exc_info=self._failure)
            self.error = self._sentence()
        return True

    def cancel(self):
        """Stop within one piece; nothing is left behind."""
        self._cancelled.set()

    @property
    def cancelled(self):
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    @property
    def succeeded(self):
        """Whether the file is there; to be asked after `poll` has said that it has ended."""
        return not self._thread.is_alive() and self._failure is None and not self.cancelled

    def _sentence(self):
        if isinstance(self._failure, ChecksumError):
            return _("The downloaded file is not the one that was published, so it was deleted. Try again later.")
        return _("The download failed. Check the internet connection and the free disk space, then try again.")

    def _run(self):
        try:
            if not self._isThere():
                self._fetch()
        except Exception as error:  # told by poll() in the main thread
            self._failure = error

    def _isThere(self):
        if not os.path.isfile(self.path):
            return False
        digest = hashlib.sha256()
        with open(self.path, "rb") as stream:
            while piece := stream.read(_CHUNK):
                digest.update(piece)
        return digest.hexdigest() == self._sha256

    def _fetch(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        digest = hashlib.sha256()
        handle, part = tempfile.mkstemp(prefix="download-", suffix=".part", dir=os.path.dirname(self.path))
        try:
            with os.fdopen(handle, "wb") as file, urllib.request.urlopen(self._uri, timeout=_TIMEOUT_SECONDS) as stream:
                self.total = int(stream.headers.get("Content-Length") or 0)
                while not self.cancelled and (piece := stream.read(_CHUNK)):
                    file.write(piece)
                    digest.update(piece)
                    self.done += len(piece)
            if self.cancelled:
                return
            if digest.hexdigest() != self._sha256:
                raise ChecksumError(f"{self._uri}: SHA256 is {digest.hexdigest()}, not {self._sha256}")
            os.replace(part, self.path)
        finally:
            if os.path.exists(part):
                os.remove(part)


class ChecksumError(Exception):
    """What came is not what was published."""
