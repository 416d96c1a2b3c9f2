"""The weights on this computer: which are in use, their licenses, and files of one's own."""

import os

import qt
import slicer
from slicer.i18n import tr as _

from ..setup import bundled
from ..signals import Signal
from .background import ROW_HEIGHT, Background

_COLUMNS = 3


class WeightsSection:
    """Part of the Set-up section.

    entries: of the last answer to a Weights request, or None if the engine was not asked yet.
    changed: signal.
    """

    def __init__(self, context, ui, widget):
        self.context = context
        self.ui = ui
        self.entries = None
        self.changed = Signal()
        self._widget = widget
        self._message = ""
        self.background = Background(self._fail)
        self.background.changed.connect(self.changed.emit)
        table = ui.weightsTable
        table.setColumnCount(_COLUMNS)
        table.setHorizontalHeaderLabels([_("Name"), _("License"), _("Size")])
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.verticalHeader().visible = False
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.connect("itemSelectionChanged()", self.changed.emit)
        ui.weightsComboBox.connect("activated(int)", self._onActivated)
        ui.showLicenseButton.connect("clicked()", self.showLicense)
        ui.openFolderButton.connect("clicked()", self.openFolder)
        ui.importWeightsButton.connect("clicked()", self.importWeights)
        ui.deleteWeightsButton.connect("clicked()", self.deleteWeights)
        ui.refreshWeightsButton.connect("clicked()", self.refresh)

    def cleanup(self):
        """Nothing goes on."""
        self.background.cancel()

    # --- what there is ---

    def refresh(self):
        """Read the list."""
        self._ask("list", self._onList)

    def _ask(self, action, onDone, **arguments):
        from FewShotSegmentLib.worker.messages import Weights

        self._message = ""
        request = Weights(action=action, **arguments)
        self.background.run(lambda: self.context.logic.startRequest(request, _("Weights")), onDone)

    def _onList(self, job):
        self.entries = list(job.answer.get("weights", ()))
        self._fillTable()

    def _fillTable(self):
        table = self.ui.weightsTable
        wasBlocked = table.blockSignals(True)
        table.setRowCount(len(self.entries))
        for row, entry in enumerate(self.entries):
            size = _("{size} MB").format(size=f"{entry.get('bytes', 0) / 1e6:.1f}")
            for column, text in enumerate((entry["name"], str(entry.get("licence", "")), size)):
                cell = qt.QTableWidgetItem(text)
                cell.setToolTip(str(entry.get("folder", "")))
                table.setItem(row, column, cell)
        if self.entries:
            table.selectRow(0)
        table.blockSignals(wasBlocked)

    def selected(self):
        """The selected entry, or None."""
        row = self.ui.weightsTable.currentRow()
        return self.entries[row] if self.entries and 0 <= row < len(self.entries) else None

    def nameInUse(self):
        """Name of the weights that propagation uses."""
        parameters = self.context.parameterNode
        if parameters is not None and parameters.weights:
            return parameters.weights
        return self._bundledName() or _("bundled")

    def _bundledName(self):
        # the first of them is the one that is used by default
        listed = next((entry["name"] for entry in self.entries or () if entry.get("bundled")), "")
        return listed or bundled.defaultName()

    # --- what can be done ---

    def _onActivated(self, index):
        if self.context.parameterNode is not None:
            self.context.parameterNode.weights = self.ui.weightsComboBox.itemData(index) or ""
        self.changed.emit()

    def showLicense(self):
        """License and training data of the selected weights."""
        entry = self.selected()
        if entry is not None:
            text = _("{name}\n\nLicense: {license}\n\nTrained on: {data}").format(
                name=entry["name"], license=entry.get("licence", "?"), data=entry.get("training_data", "?")
            )
            slicer.util.infoDisplay(text, windowTitle=_("FewShotSegment"), parent=self._widget)

    def openFolder(self):
        """Show the selected weights in the file manager."""
        entry = self.selected()
        if entry is None:
            return
        folder = str(entry.get("folder", ""))
        if not os.path.isdir(folder):
            self._fail(_("The folder is not there any more; press Refresh."))
            return
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(folder))

    def importWeights(self):
        """Copy weights of a folder, named by its list, to the user's own."""
        path = qt.QFileDialog.getOpenFileName(
            self._widget, _("Weights to import: their weights.json"), "", _("List of weights (weights.json *.json)")
        )
        if path:
            self._ask("import", self._onImported, path=str(path))

    def _onImported(self, job):
        self._onList(job)
        self._message = _("Imported: {name}.").format(name=job.answer.get("name", ""))

    def deleteWeights(self):
        """Delete the selected weights after one question; bundled ones stay."""
        entry = self.selected()
        if entry is None or entry.get("bundled"):
            return
        question = _("Delete the weights {name} from this computer? This cannot be undone.").format(name=entry["name"])
        if slicer.util.confirmYesNoDisplay(question, _("FewShotSegment"), parent=self._widget):
            self._ask("delete", self._onDeleted, name=entry["name"])

    def _onDeleted(self, job):
        name = job.answer.get("name", "")
        self._onList(job)
        parameters = self.context.parameterNode
        if parameters is not None and parameters.weights == name:
            parameters.weights = ""
        self._message = _("Deleted: {name}.").format(name=name)

    # --- showing ---

    def _fail(self, sentence):
        self._message = sentence
        self.changed.emit()

    def update(self, isReady):
        """Enable what can be done."""
        ui, entry = self.ui, self.selected()
        busy = self.background.busy
        self._updateCombo()
        ui.showLicenseButton.enabled = ui.openFolderButton.enabled = entry is not None
        ui.deleteWeightsButton.enabled = entry is not None and not entry.get("bundled") and not busy
        ui.deleteWeightsButton.toolTip = (
            _("Bundled weights belong to the extension and stay")
            if entry is not None and entry.get("bundled")
            else _("Delete the selected weights (asks first); bundled ones stay")
        )
        ui.importWeightsButton.enabled = ui.refreshWeightsButton.enabled = isReady and not busy
        if busy:
            text = _("Working…")
        elif self._message or self.entries is not None:
            text = self._message
        else:
            text = _("Press Refresh for the list.") if isReady else _("Set up the engine first.")
        ui.weightsLabel.text = text
        ui.weightsLabel.visible = bool(text)

    def _updateCombo(self):
        combo, parameters = self.ui.weightsComboBox, self.context.parameterNode
        chosen = parameters.weights if parameters is not None else ""
        default = self._bundledName()
        names = [entry["name"] for entry in self.entries or () if not entry.get("bundled")]
        if chosen and chosen not in names:
            names.append(chosen)
        entries = [("", _("{name} (bundled)").format(name=default) if default else _("bundled"))]
        entries += [(name, name) for name in names]
        if [(combo.itemData(row) or "", combo.itemText(row)) for row in range(combo.count)] != entries:
            wasBlocked = combo.blockSignals(True)
            combo.clear()
            for name, words in entries:
                combo.addItem(words, name)
            combo.blockSignals(wasBlocked)
        combo.setCurrentIndex([name for name, _words in entries].index(chosen))
