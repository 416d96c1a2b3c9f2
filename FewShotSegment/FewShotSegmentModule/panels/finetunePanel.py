"""Fine-tuning: adapt the weights to accepted segments, look whether that helped, keep the result or not."""

import re

import qt
import slicer
from slicer.i18n import tr as _

from ..jobs.job import CANCELLED
from ..setup import bundled
from .background import ROW_HEIGHT, Background, progressSentence, showProgress
from .panel import Panel
from .supports import referenceVolume, segmentsWithVoxels

_KEY = qt.Qt.UserRole
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
"""The engine's rule for names of weights (FewShotSegmentLib/weights/places.py)."""


class FinetunePanel(Panel):
    """Chooses cases, runs a fine-tuning, shows the scores and keeps or drops what came out."""

    uiName = "Finetune"

    def __init__(self, context, layout):
        super().__init__(context, layout)
        self._section = layout if hasattr(layout, "collapsed") else None
        self._report = None  # of a fine-tuning that waits for Keep or Roll back
        self._kept = None  # (name that was kept, weights that were in use before)
        self._message = ""
        self._isTraining = False
        self._unticked = set()
        self.background = Background(self._fail)
        self.background.changed.connect(self.update)
        context.selectionChanged.connect(self.refreshCases)
        context.annotationChanged.connect(self.refreshCases)
        context.accepted.connect(lambda segmentIds: self.refreshCases())
        ui = self.ui
        ui.casesTree.setColumnCount(2)
        ui.casesTree.setHeaderLabels([_("Segment"), _("Status")])
        ui.casesTree.header().setStretchLastSection(False)
        ui.casesTree.header().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        ui.casesTree.header().setSectionResizeMode(1, qt.QHeaderView.ResizeToContents)
        ui.casesTree.connect("itemChanged(QTreeWidgetItem*,int)", self._onItemChanged)
        ui.scoresTable.setColumnCount(4)
        ui.scoresTable.setHorizontalHeaderLabels([_("Segment"), _("Slice"), _("Before"), _("After")])
        ui.scoresTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        ui.scoresTable.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        ui.scoresTable.verticalHeader().visible = False
        ui.scoresTable.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        ui.finetuneButton.connect("clicked()", self.startOrCancel)
        ui.nameLineEdit.connect("textChanged(QString)", self.update)
        if self._section is not None:
            self._section.connect("contentsCollapsed(bool)", self.refreshCases)
        ui.keepButton.connect("clicked()", self.keep)
        ui.rollBackButton.connect("clicked()", self.rollBack)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self._onSceneChanged)
        self.update()

    def enter(self):
        """The scene may have changed in other modules."""
        super().enter()
        self.refreshCases()

    def cleanup(self):
        """Nothing goes on."""
        self.background.cancel()
        super().cleanup()

    # --- cases ---

    def refreshCases(self, *_values):
        """List what may serve: segments in progress or completed. Done only where it can be seen."""
        if not self.entered or (self._section is not None and self._section.collapsed):
            return
        tree = self.ui.casesTree
        wasBlocked = tree.blockSignals(True)
        tree.clear()
        for segmentationNode in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            volumeNode = self._volumeOf(segmentationNode)
            rows = self._rows(segmentationNode) if volumeNode is not None else []
            if not rows:
                continue
            top = qt.QTreeWidgetItem([segmentationNode.GetName(), ""])
            top.setToolTip(0, _("Drawn on {volume}").format(volume=volumeNode.GetName()))
            for segmentId, name, status in rows:
                key = f"{segmentationNode.GetID()} {segmentId}"
                item = qt.QTreeWidgetItem([name, status])
                item.setData(0, _KEY, key)
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
                item.setCheckState(0, qt.Qt.Unchecked if key in self._unticked else qt.Qt.Checked)
                top.addChild(item)
            tree.addTopLevelItem(top)
            top.setExpanded(True)
        tree.blockSignals(wasBlocked)
        self.update()

    def _volumeOf(self, segmentationNode):
        if segmentationNode.GetHideFromEditors() or not segmentationNode.GetSaveWithScene():
            return None  # a preview
        if segmentationNode is self.context.segmentationNode:
            return self.context.volumeNode
        return referenceVolume(segmentationNode)

    def _rows(self, segmentationNode):
        """(segment ID, name, status) of a segmentation's segments that may serve."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        words = {logic.InProgress: _("in progress"), logic.Completed: _("completed")}
        content = segmentationNode.GetSegmentation()
        rows = []
        for segmentId in segmentsWithVoxels(segmentationNode):
            segment = content.GetSegment(segmentId)
            status = logic.GetSegmentStatus(segment)
            if status in words:
                rows.append((segmentId, segment.GetName(), words[status]))
        return rows

    def cases(self):
        """[(volume node, segmentation node, segment IDs)] that are ticked."""
        cases = {}
        for item in self._items():
            if item.checkState(0) == qt.Qt.Checked:
                nodeId, _space, segmentId = item.data(0, _KEY).partition(" ")
                cases.setdefault(nodeId, []).append(segmentId)
        found = []
        for nodeId, segmentIds in cases.items():
            segmentationNode = slicer.mrmlScene.GetNodeByID(nodeId)
            volumeNode = None if segmentationNode is None else self._volumeOf(segmentationNode)
            if volumeNode is not None:
                found.append((volumeNode, segmentationNode, segmentIds))
        return found

    def _items(self):
        tree = self.ui.casesTree
        tops = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount)]
        return [top.child(row) for top in tops for row in range(top.childCount())]

    def _onItemChanged(self, item, column):
        key = item.data(0, _KEY)
        if key:
            self._unticked.discard(key)
            if item.checkState(0) != qt.Qt.Checked:
                self._unticked.add(key)
        self.update()

    def _onSceneChanged(self, caller=None, event=None):
        # after the scene has finished, and once for many nodes
        if self.entered:
            qt.QTimer.singleShot(0, self.refreshCases)

    # --- running ---

    def startOrCancel(self):
        """Fine-tune, or stop."""
        if self.background.busy:
            self.background.cancel()
            return
        reason = self._reason()
        if reason:
            self._fail(reason)
            return
        if not self.context.ensureReady(self.startOrCancel):
            return
        parameters = self.context.parameterNode
        self._report, self._kept, self._message = None, None, ""
        self._isTraining = True
        self.background.run(
            lambda: self.context.logic.startFinetuning(
                self.cases(),
                minutes=float(self.ui.minutesSpinBox.value),
                device=parameters.device,
                weights=parameters.weights or None,
            ),
            self._onReport,
            self._onEnd,
        )

    def _reason(self):
        """Why it cannot be started; empty if it can."""
        if self.context.parameterNode is None:
            return _("There is no scene.")
        if not self._items():
            return _("Accept a result, or set the status of a segment to “in progress” or “completed”, first.")
        if not self.cases():
            return _("Tick at least one segment.")
        return ""

    def _onReport(self, job):
        self._report = job.result
        self._message = " ".join(job.notes)
        self._showScores()
        if self._report.get("better") and not self.ui.nameLineEdit.text:
            self.ui.nameLineEdit.text = self._proposedName()

    def _onEnd(self, job):
        self._isTraining = False
        if job.state == CANCELLED:
            self._message = _("Cancelled: the weights are as they were.")

    def _proposedName(self):
        cases = self.cases()
        names = [node.GetSegmentation().GetSegment(ids[0]).GetName() for _volume, node, ids in cases[:1]]
        plain = re.sub(r"[^A-Za-z0-9]+", "-", names[0] if names else "").strip("-").lower()[:40]
        return f"my-{plain}" if plain else "my-weights"

    def _showScores(self):
        table = self.ui.scoresTable
        scores = self._report.get("scores", [])
        table.setRowCount(len(scores) + 1)
        for row, score in enumerate(scores):
            self._setRow(row, score["segment"], str(score["slice"]), score["before"], score["after"])
            table.item(row, 0).setToolTip(str(score.get("volume", "")))
        self._setRow(len(scores), _("Mean"), "", self._report["before"], self._report["after"])

    def _setRow(self, row, name, index, before, after):
        for column, text in enumerate((name, index, f"{before:.3f}", f"{after:.3f}")):
            cell = qt.QTableWidgetItem(text)
            if column:
                cell.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            self.ui.scoresTable.setItem(row, column, cell)

    # --- keep or not ---

    def keep(self):
        """Keep the adapted weights under the name that was entered, and use them."""
        name = self.ui.nameLineEdit.text.strip()
        if self._report is None or not _NAME.fullmatch(name):
            return
        self._ask(name, self._onKept)

    def _onKept(self, job):
        parameters = self.context.parameterNode
        name = job.result.get("name") or self.ui.nameLineEdit.text.strip()
        before = parameters.weights if parameters is not None else ""
        self._kept = (name, before)
        self._message = _("Kept as {name}; propagation uses it from now on.").format(name=name)
        if parameters is not None:
            parameters.weights = name

    def rollBack(self):
        """Drop what came out, also if it was kept."""
        if self._report is not None:
            self._ask("", self._onRolledBack)

    def _onRolledBack(self, job):
        parameters = self.context.parameterNode
        if self._kept is not None and parameters is not None and parameters.weights == self._kept[0]:
            parameters.weights = self._kept[1]
        self._report = self._kept = None
        self.ui.nameLineEdit.text = ""
        self._message = _("Rolled back: {name} is in use.").format(name=self._weightsName())

    def _ask(self, name, onDone):
        from FewShotSegmentLib.worker.messages import FinetuneKeep

        self._message = ""
        title = _("Keep weights") if name else _("Roll back")
        self.background.run(lambda: self.context.logic.startRequest(FinetuneKeep(name=name), title), onDone)

    # --- showing ---

    def parameterModified(self):
        """The weights in use may be others."""
        self.update()

    def _weightsName(self):
        parameters = self.context.parameterNode
        if parameters is not None and parameters.weights:
            return parameters.weights
        return _("{name} (bundled)").format(name=bundled.defaultName())

    def _fail(self, sentence):
        self._message = sentence
        self.update()

    def update(self, *_values):
        """Enable what can be done, and say why the rest cannot."""
        ui = self.ui
        busy = self.background.busy
        running = busy and self._isTraining
        reason = "" if busy else self._reason()
        ui.finetuneButton.text = _("Cancel") if running else _("Fine-tune")
        ui.finetuneButton.enabled = running or (not busy and not reason)
        ui.finetuneButton.toolTip = reason or _(
            "Adapt the weights to the ticked segments; nothing is changed before you keep the result"
        )
        count = len([item for item in self._items() if item.checkState(0) == qt.Qt.Checked])
        words = _("1 segment to learn from") if count == 1 else _("{count} segments to learn from").format(count=count)
        ui.casesLabel.text = reason or words
        ui.minutesSpinBox.enabled = not busy
        if busy:
            showProgress(ui.finetuneProgressBar, self.background.job.progress)
            ui.finetuneLabel.text = progressSentence(self.background.job.progress)
        else:
            ui.finetuneProgressBar.visible = False
            ui.finetuneLabel.text = self._message
        ui.finetuneLabel.visible = bool(ui.finetuneLabel.text)
        self._updateResult(busy)

    def _updateResult(self, busy):
        ui, report = self.ui, self._report
        ui.scoresTable.visible = report is not None
        ui.verdictLabel.text = "" if report is None else str(report.get("verdict", ""))
        ui.verdictLabel.visible = bool(ui.verdictLabel.text)
        better = report is not None and bool(report.get("better"))
        waits = better and self._kept is None
        name = ui.nameLineEdit.text.strip()
        isName = bool(_NAME.fullmatch(name))
        ui.nameLineEdit.visible = ui.keepButton.visible = waits
        ui.keepButton.enabled = waits and isName and not busy
        ui.keepButton.toolTip = (
            _("Keep the adapted weights under this name and use them")
            if isName
            else _("Enter a name of letters a–z, digits, dots, hyphens and underscores")
        )
        ui.rollBackButton.visible = better
        ui.rollBackButton.enabled = better and not busy
        ui.weightsInUseLabel.text = _("Weights in use: {name}").format(name=self._weightsName())
