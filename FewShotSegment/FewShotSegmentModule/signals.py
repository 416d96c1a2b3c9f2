"""Plain Python signals: custom signals of Qt classes derived in PythonQt crash Slicer."""

import logging


class Signal:
    """Calls what is connected, in order; a slot that raises is logged and does not keep the others from running."""

    def __init__(self):
        self._slots = []

    def connect(self, slot):
        """Call `slot` with what is emitted."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot):
        """Forget `slot`; nothing happens if it is not connected."""
        if slot in self._slots:
            self._slots.remove(slot)

    def clear(self):
        """Forget all slots."""
        self._slots.clear()

    def emit(self, *values):
        """Call all slots."""
        for slot in list(self._slots):
            try:
                slot(*values)
            except Exception:  # one panel's mistake must not stop the others
                logging.exception("FewShotSegment: a slot failed")
