"""Sample data to try the module with, fetched on a click only."""

import qt
import slicer
from slicer.i18n import tr as _

from ..setup import sampledata
from ..setup.download import Download
from .background import BAR_STEPS

_POLL_MILLISECONDS = 100
_PLACE = "github.com/Slicer"


def _titles():
    return {
        sampledata.ABDOMEN.name: _("CT of an abdomen"),
        sampledata.HEAD.name: _("MR of a head"),
    }


def _terms():
    return {
        sampledata.ABDOMEN.name: _("for research and teaching only"),
        sampledata.HEAD.name: _("free for any use"),
    }


class SampleSection:
    """Part of the Set-up section."""

    def __init__(self, context, ui, widget):
        self.context = context
        self.ui = ui
        self._widget = widget
        self._download = None
        self._sample = None
        self._message = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._poll)
        for sample in sampledata.SAMPLES:
            ui.sampleComboBox.addItem(_titles()[sample.name], sample.name)
        ui.tryItButton.connect("clicked()", self.tryItOrCancel)

    def cleanup(self):
        """Nothing goes on."""
        self._timer.stop()
        if self._download is not None:
            self._download.cancel()
            self._download = None

    def tryItOrCancel(self):
        """Ask, download and load the chosen sample; or stop."""
        if self._download is not None:
            self._download.cancel()
            return
        name = self.ui.sampleComboBox.itemData(self.ui.sampleComboBox.currentIndex)
        sample = next(sample for sample in sampledata.SAMPLES if sample.name == name)
        question = _(
            "{title} ({terms}): about {size} MB are downloaded from {place}, unless this computer has them already. "
            "Go on?"
        ).format(title=_titles()[sample.name], terms=_terms()[sample.name], size=sample.megabytes, place=_PLACE)
        if not slicer.util.confirmYesNoDisplay(question, _("FewShotSegment"), parent=self._widget):
            return
        self._sample, self._message = sample, ""
        self._download = Download(sample.uri, sampledata.cachePath(sample), sample.sha256)
        self._download.start()
        self._timer.start()
        self.update()

    def _poll(self):
        download = self._download
        if download is None or not download.poll():
            self.update()
            return
        self._timer.stop()
        self._download = None
        if download.cancelled:
            self._message = _("Cancelled.")
        elif not download.succeeded:
            self._message = download.error
        else:
            self._load()
        self.update()

    def _load(self):
        try:
            node = sampledata.load(self._sample)
        except RuntimeError:
            node = None
        if node is None:
            self._message = _("The volume could not be loaded; see the application log.")
            return
        self._message = _("Loaded: choose a slice in the first section and draw one organ on it.")
        if self.context.parameterNode is not None:
            self.context.parameterNode.volume = node
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        self.context.selectionChanged.emit()

    def update(self):
        """Show how far it is."""
        ui, download = self.ui, self._download
        running = download is not None
        ui.tryItButton.text = _("Cancel") if running else _("Try it")
        ui.sampleComboBox.enabled = not running
        ui.downloadProgressBar.visible = running
        if running:
            total = download.total
            ui.downloadProgressBar.setRange(0, BAR_STEPS if total else 0)
            if total:
                ui.downloadProgressBar.setValue(int(BAR_STEPS * download.done / total))
        text = _("Downloading…") if running else self._message
        if running and download.total:
            text = _("Downloading: {done} of {total} MB").format(
                done=f"{download.done / 1e6:.1f}", total=f"{download.total / 1e6:.1f}"
            )
        ui.sampleLabel.text = text
        ui.sampleLabel.visible = bool(text)
