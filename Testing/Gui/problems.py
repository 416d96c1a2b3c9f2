"""What must not pass unnoticed in a test: exceptions in slots, errors in the log, dialogs nobody expects."""

from __future__ import annotations

import logging
import sys
import traceback

from standins.dialogs import Dialogs


class Problems(logging.Handler):
    """Collects them; ``expect_error`` announces one that the test provokes."""

    def __init__(self, dialogs: Dialogs):
        super().__init__(logging.ERROR)
        self.dialogs = dialogs
        self._found: list[str] = []
        self._expected: list[str] = []

    def expect_error(self, containing: str) -> None:
        """An error in the log, or an exception in a slot, whose text contains this."""
        self._expected.append(containing)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        self._add(f"logged: {text}")

    def _add(self, text: str) -> None:
        expected = next((one for one in self._expected if one in text), None)
        if expected is None:
            self._found.append(text)
        else:
            self._expected.remove(expected)

    def _exception(self, kind, value, trace) -> None:
        self._add("exception in a slot: " + "".join(traceback.format_exception(kind, value, trace)))

    def _unraisable(self, what) -> None:
        # VTK's observers print theirs instead; Python hands over those of destructors and callbacks
        self._add(
            "exception nobody could catch: "
            + "".join(traceback.format_exception(what.exc_type, what.exc_value, what.exc_traceback))
        )

    def __enter__(self) -> Problems:
        self.dialogs.clear()
        self._hooks = sys.excepthook, sys.unraisablehook
        sys.excepthook, sys.unraisablehook = self._exception, self._unraisable
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_exception) -> None:
        sys.excepthook, sys.unraisablehook = self._hooks
        logging.getLogger().removeHandler(self)

    def all(self) -> list[str]:
        missing = [f"expected, but there was none: {one}" for one in self._expected]
        return [*self._found, *missing, *self.dialogs.problems()]
