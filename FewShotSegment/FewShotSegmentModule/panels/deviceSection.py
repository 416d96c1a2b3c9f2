"""Where the network computes: the choice, and what was found here."""

from slicer.i18n import tr as _

from ..signals import Signal
from .background import Background


class DeviceSection:
    """Part of the Set-up section.

    answer: to the last Devices request, or None.
    changed: signal.
    """

    def __init__(self, context, ui):
        self.context = context
        self.ui = ui
        self.answer = None
        self.changed = Signal()
        self._message = ""
        self.background = Background(self._fail)
        self.background.changed.connect(self.changed.emit)
        ui.checkDevicesButton.connect("clicked()", self.check)
        ui.deviceComboBox.connect("activated(int)", self._onActivated)

    def cleanup(self):
        """Nothing goes on."""
        self.background.cancel()

    def check(self):
        """Ask the engine what can compute here; this starts it."""
        from FewShotSegmentLib.worker.messages import Devices

        self._message = ""
        self.background.run(lambda: self.context.logic.startRequest(Devices(), _("Devices")), self._onAnswer)

    def _onAnswer(self, job):
        self.answer = job.answer

    def _fail(self, sentence):
        self._message = sentence
        self.changed.emit()

    def _onActivated(self, index):
        if self.context.parameterNode is not None:
            self.context.parameterNode.device = self.ui.deviceComboBox.itemData(index)
        self.changed.emit()

    def chosen(self):
        """Name of the device that is chosen."""
        return self.context.parameterNode.device if self.context.parameterNode is not None else "auto"

    def sentence(self):
        """The device in use, in a few words."""
        name = self.chosen()
        if self.answer is None:
            return _("device {name}").format(name=_("automatic") if name == "auto" else name)
        used = self.answer.get("auto", "cpu") if name == "auto" else name
        if used == "cpu":
            count = self.answer.get("threads", "?")
            return _("CPU (1 thread)") if count == 1 else _("CPU ({count} threads)").format(count=count)
        found = self._found(used)
        if found is None:
            return _("{name}, which was not found").format(name=used)
        # without its memory, which changes
        return str(found.get("text") or used).partition(",")[0]

    def _found(self, name):
        devices = self.answer.get("devices", ()) if self.answer else ()
        return next((device for device in devices if device.get("name") == name), None)

    def _entries(self):
        """(name, words) for the list; what is chosen is in it even if it was not found."""
        entries = [("auto", _("automatic")), ("cpu", _("CPU"))]
        for device in (self.answer or {}).get("devices", ()):
            if device["name"] != "cpu" and device.get("usable", True):
                entries.append((device["name"], "{} – {}".format(device["name"], device.get("text", ""))))
        if self.chosen() not in [name for name, _words in entries]:
            entries.append((self.chosen(), self.chosen()))
        return entries

    def update(self, isReady):
        """Show the choice and what was found."""
        combo, label = self.ui.deviceComboBox, self.ui.deviceLabel
        entries = self._entries()
        if [combo.itemData(row) for row in range(combo.count)] != [name for name, _words in entries]:
            wasBlocked = combo.blockSignals(True)
            combo.clear()
            for name, words in entries:
                combo.addItem(words, name)
            combo.blockSignals(wasBlocked)
        combo.setCurrentIndex(combo.findData(self.chosen()))
        busy = self.background.busy
        self.ui.checkDevicesButton.enabled = isReady and not busy
        self.ui.checkDevicesButton.toolTip = (
            _("Look what can compute here; starts the engine") if isReady else _("Set up the engine first")
        )
        label.text = _("Looking…") if busy else self._message or self._report()
        label.visible = bool(label.text)

    def _report(self):
        if self.answer is None:
            return ""
        lines = []
        for device in self.answer.get("devices", ()):
            words = str(device.get("text") or device["name"])
            if not device.get("usable", True):
                words = _("{device}: cannot be used").format(device=words)
            lines.append(words)
        if self.answer.get("auto") == "cpu":
            lines.append(_("No graphics card that PyTorch can use was found: the CPU computes, which is slower."))
        return "\n".join(lines)
