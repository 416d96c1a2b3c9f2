"""The anchors of the selected segment, and the update from corrections."""

import logging

import qt
from slicer.i18n import tr as _

from ..scene import anchors
from ..scene.errors import SceneError
from .facts import factsOf
from .panel import Panel
from .runner import runnerOf
from .shortcuts import Shortcuts, withKeys
from .stripPlot import ABSENT, kindText

MOST_ROWS = 5
"""Shown at once; the others are scrolled to."""


class AnchorsPanel(Panel):
    """The fourth section."""

    uiName = "Anchors"

    def __init__(self, context, layout):
        Panel.__init__(self, context, layout)
        self.runner = runnerOf(context)
        self._facts = factsOf(context)
        self._rows = []
        self._examined = set()
        ui = self.ui
        ui.anchorsTable.connect("itemSelectionChanged()", self._updateButtons)
        ui.anchorsTable.connect("cellDoubleClicked(int,int)", self._onDoubleClicked)
        ui.showButton.connect("clicked()", self.showSelected)
        ui.removeButton.connect("clicked()", self.removeSelected)
        ui.adoptButton.connect("clicked()", self.adopt)
        ui.updateButton.connect("clicked()", self.correct)
        ui.acceptCheckBox.connect("toggled(bool)", self._onAcceptToggled)
        self.shortcuts = Shortcuts({"correct": self.correct})
        context.annotationChanged.connect(self.update)
        context.selectionChanged.connect(self._onSelection)
        context.accepted.connect(self.update)
        self.runner.changed.connect(self._updateCorrections)
        self.update()

    # --- a segmentation that was loaded ---

    def _onSelection(self):
        """A whole segment that is met for the first time is taken as a result; one that is being drawn is not."""
        context = self.context
        if context.volumeNode is not None and context.segmentId:
            where = (context.segmentationNode, context.segmentId, context.volumeNode)
            seen = (context.segmentationNode.GetID(), context.segmentId, context.volumeNode.GetID())
            if seen not in self._examined:
                self._examined.add(seen)
                if self._looksLoaded(where):
                    self.adopt()
        self.update()

    @staticmethod
    def _looksLoaded(where):
        try:
            return anchors.looksLoaded(*where)
        except SceneError:
            return False

    def adopt(self):
        """Take the segment as complete: only what is edited from now on is an anchor."""
        context = self.context
        try:
            anchors.adopt(context.segmentationNode, context.segmentId, context.volumeNode)
        except SceneError as error:
            context.fail(str(error))
            return
        self._facts.forget()
        context.annotationChanged.emit()

    # --- buttons ---

    def _selected(self):
        rows = sorted({index.row() for index in self.ui.anchorsTable.selectedIndexes()})
        return [self._rows[row] for row in rows if row < len(self._rows)]

    def _onDoubleClicked(self, row, column):
        if row < len(self._rows):
            self._jump(self._rows[row])

    def showSelected(self):
        """Go to the slice of the selected anchor."""
        if self._selected():
            self._jump(self._selected()[0])

    def _jump(self, index):
        if not self.context.jumpTo(self._facts.of().axis, index):
            self.context.warn(_("No slice view shows this slice; rotate one to the volume plane."))

    def removeSelected(self):
        """Let the selected anchors' slices be computed again with the next update."""
        context = self.context
        try:
            for index in self._selected():
                anchors.removeAnchor(context.segmentationNode, context.segmentId, context.volumeNode, index)
        except SceneError as error:
            context.fail(str(error))
        self._facts.forget()
        context.annotationChanged.emit()

    def correct(self):
        """Compute the slices around what was corrected again."""
        if self.runner.running:
            self.runner.cancel()
        else:
            self.runner.start(correct=True)

    def _onAcceptToggled(self, checked):
        self.runner.acceptCorrections = bool(checked)

    # --- what is shown ---

    def parameterModified(self):
        """Perhaps all visible segments are meant now."""
        self._updateCorrections()

    def update(self, *_ignored):
        """Show the anchors."""
        try:
            self._updateTable()
        except Exception:
            logging.exception("FewShotSegment: the anchors could not be shown")
        self._updateButtons()
        self._updateCorrections()

    def _updateTable(self):
        known = self._facts.of()
        table = self.ui.anchorsTable
        selected = set(self._selected())
        self._rows = list(known.anchors)
        blocked = table.blockSignals(True)
        table.setRowCount(len(self._rows))
        for row, (index, kind) in enumerate(known.anchors.items()):
            shown = kind if index in known.occupied else ABSENT
            texts = (self._facts.places(known.axis, [index]), kindText(shown))
            for column, text in enumerate(texts):
                item = table.item(row, column)
                if item is None:
                    item = qt.QTableWidgetItem()
                    table.setItem(row, column, item)
                item.setText(text)
                item.setSelected(index in selected)
        table.blockSignals(blocked)
        table.visible = bool(self._rows)
        if self._rows:
            rows = min(len(self._rows), MOST_ROWS)
            table.setFixedHeight(table.horizontalHeader().height + rows * table.rowHeight(0) + 2 * table.frameWidth)
        self.showText(self.ui.emptyLabel, "" if self._rows else self._emptySentence(known))
        # a segment that looks whole but was drawn here: only its user knows
        self.ui.adoptButton.visible = not known.accepted and len(self._rows) > 1

    def _emptySentence(self, known):
        if known.problem:
            return known.problem
        if known.accepted and known.occupied and not known.table.adopted:
            return _("No anchors: a slice that you draw becomes one.")
        if known.accepted and known.occupied:
            return _("No anchors: the segment is taken as complete. A slice that you mend becomes one.")
        return known.annotation.problem or _("No anchors yet.")

    def _updateButtons(self):
        selected = self._selected()
        self.ui.showButton.enabled = len(selected) == 1
        accepted = self._facts.of().accepted
        self.ui.removeButton.enabled = bool(selected) and accepted
        self.ui.removeButton.toolTip = (
            _("The slice is computed again with the next update; until then it stays as it is.")
            if accepted
            else _("Nothing was propagated yet: erase the slice instead.")
        )

    def _updateCorrections(self):
        ui, runner, known = self.ui, self.runner, self._facts.of()
        sentences = []
        if known.accepted and known.edited:
            count = len(known.edited)
            text = _("1 slice") if count == 1 else _("{count} slices").format(count=count)
            sentences.append(
                _("{count} changed since the last result: {where}").format(
                    count=text, where=self._facts.places(known.axis, known.edited)
                )
            )
        if known.table.removed:
            sentences.append(
                _("Anchors removed: {where}").format(where=self._facts.places(known.axis, known.table.removed))
            )
        self.showText(ui.correctionsLabel, "\n".join(sentences))
        if runner.running:
            ui.updateButton.enabled = False
            ui.updateButton.toolTip = _("A propagation is running.")
            self.showText(ui.updateReasonLabel, "")
            return
        plan = runner.plan(correct=True)
        ui.updateButton.enabled = not plan.reason
        can = _("Compute the slices around your corrections again, up to the next anchors, and open ends behind these.")
        ui.updateButton.toolTip = plan.reason or withKeys(can, "correct")
        self.showText(ui.updateReasonLabel, plan.reason)
