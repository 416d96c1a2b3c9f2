"""Other volumes: a queue in which annotated organs are looked for, one volume after the other."""

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from ..jobs.job import CANCELLED, DONE, FAILED, RUNNING, WAITING, JobError
from ..jobs.queue import FILE, NOT_FOUND, Queue
from ..scene.errors import SceneError
from ..scene.volumes import sceneVolumes
from .background import ROW_HEIGHT, progressSentence, showProgress
from .panel import Panel

_TITLE, _STATE = 0, 1
_PATTERNS = "*.nrrd *.nhdr *.nii *.nii.gz *.mha *.mhd"


def _methods():
    """(name for the engine, words) of the networks that find an organ in another volume."""
    return (
        ("dspnet", _("DSPNet, improved")),
        ("dspnet-published", _("DSPNet as published")),
        ("alpnet", _("ALPNet as published")),
        ("prototype", _("Prototype network")),
        ("conditional", _("Conditional network")),
    )


def _filter():
    return "{} ({});;{} (*)".format(_("Images"), _PATTERNS, _("All files"))


def _states():
    return {
        WAITING: _("waiting"),
        RUNNING: _("running"),
        DONE: _("done"),
        NOT_FOUND: _("not found"),
        FAILED: _("failed"),
        CANCELLED: _("cancelled"),
    }


class VolumesPanel(Panel):
    """The queue of volumes."""

    uiName = "Volumes"

    def __init__(self, context, layout):
        super().__init__(context, layout)
        self._message = ""
        self.queue = Queue(context.logic)
        self.queue.changed.connect(self._onQueueChanged)
        self.queue.itemChanged.connect(self._onItemChanged)
        self.queue.finished.connect(self._onFinished)
        # diagnostics must not tell them
        context.queueTitles = lambda: [item.title for item in self.queue.items]
        self.choice = context.supportChoice
        self.choice.changed.connect(self.update)
        context.selectionChanged.connect(self.update)
        context.annotationChanged.connect(self.update)
        ui = self.ui
        for name, words in _methods():
            ui.methodComboBox.addItem(words, name)
        ui.methodComboBox.connect("activated(int)", self._onMethod)
        ui.queueTable.setColumnCount(2)
        ui.queueTable.setHorizontalHeaderLabels([_("Volume"), _("State")])
        ui.queueTable.horizontalHeader().setSectionResizeMode(_TITLE, qt.QHeaderView.Stretch)
        ui.queueTable.horizontalHeader().setSectionResizeMode(_STATE, qt.QHeaderView.ResizeToContents)
        ui.queueTable.verticalHeader().visible = False
        ui.queueTable.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        ui.queueTable.connect("itemSelectionChanged()", self.update)
        ui.queueTable.connect("cellDoubleClicked(int,int)", self._onDoubleClicked)
        ui.addSceneButton.connect("clicked()", self.addScene)
        ui.addFilesButton.connect("clicked()", self.addFiles)
        ui.addFolderButton.connect("clicked()", self.addFolder)
        ui.addSequenceButton.connect("clicked()", self.addSequence)
        ui.folderComboBox.connect("currentItemChanged(vtkIdType)", self.update)
        ui.sequenceComboBox.connect("currentNodeChanged(vtkMRMLNode*)", self.update)
        folders = ctk.ctkPathLineEdit
        ui.outputPathLineEdit.filters = folders.Dirs | folders.Writable
        ui.openResultButton.connect("clicked()", self.openResult)
        ui.retryButton.connect("clicked()", self.retry)
        ui.removeItemButton.connect("clicked()", self.removeItem)
        ui.outputPathLineEdit.connect("currentPathChanged(QString)", self.update)
        ui.startButton.connect("clicked()", self.startOrCancel)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._onSceneClosed)
        self.update()

    def cleanup(self):
        """Nothing goes on."""
        self.queue.cancel()
        super().cleanup()

    # --- filling ---

    def addScene(self):
        """Add the volumes of the scene but the annotated one."""
        nodes = [node for node in sceneVolumes() if node is not self.context.volumeNode]
        self._add(lambda: [item for node in nodes for item in self.queue.addVolume(node)])

    def addFiles(self):
        """Add image files; they are not loaded."""
        paths = qt.QFileDialog.getOpenFileNames(self.widget, _("Volumes to look in"), "", _filter())
        if paths:
            self._add(lambda: self.queue.addFiles([str(path) for path in paths]))

    def addFolder(self):
        """Add what is below the chosen item of the Subject Hierarchy."""
        item = self.ui.folderComboBox.currentItem()
        if item:
            self._add(lambda: self.queue.addFolder(item))

    def addSequence(self):
        """Add the frames of the chosen sequence."""
        node = self.ui.sequenceComboBox.currentNode()
        if node is not None:
            self._add(lambda: self.queue.addSequence(node))

    def _add(self, add):
        try:
            added = add()
        except (JobError, SceneError) as error:
            self._fail(str(error))
            return
        if added:
            self._message = ""
        else:
            self._message = _("There is no volume to add, or all are in the queue already.")
        self.update()

    # --- running ---

    def startOrCancel(self):
        """Look in all that wait, or stop."""
        if self.queue.running:
            self.queue.cancel()
            self.update()
            return
        reason = self._reason()
        if reason:
            self._fail(reason)
            return
        if not self.context.ensureReady(self.startOrCancel):
            return
        parameters = self.context.parameterNode
        self._message = ""
        try:
            self.queue.start(
                self.choice.sceneSupports(),
                list(self.choice.entries),
                method=parameters.method,
                device=parameters.device,
                weights=parameters.weights or None,
                outputFolder=str(self.ui.outputPathLineEdit.currentPath or ""),
            )
        except (JobError, SceneError) as error:
            self._fail(str(error))

    def _reason(self):
        """Why the queue cannot be started; empty if it can."""
        if self.context.parameterNode is None:
            return _("There is no scene.")
        if not any(item.state == WAITING for item in self.queue.items):
            return _("Add volumes to look in first.")
        if self.choice.isEmpty():
            return _("Tick what to look for first, in the support library above.")
        return ""

    # --- one of them ---

    def _selected(self):
        """Index of the selected item, or None."""
        row = self.ui.queueTable.currentRow()
        return row if 0 <= row < len(self.queue.items) else None

    def openResult(self):
        """Show the selected item's result."""
        index = self._selected()
        if index is None:
            return
        try:
            volumeNode, segmentationNode = self.queue.openResult(index)
        except (JobError, SceneError, RuntimeError) as error:
            self._fail(str(error))
            return
        if segmentationNode is None:
            self._fail(_("The result is no longer there."))
            return
        if volumeNode is not None:
            slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
        parameters = self.context.parameterNode
        if parameters is not None and volumeNode is not None and self.queue.items[index].kind != "frame":
            parameters.volume = volumeNode
            parameters.segmentation = segmentationNode
            self.context.selectionChanged.emit()

    def retry(self):
        """Let the selected item wait for its turn again."""
        index = self._selected()
        if index is not None:
            self.queue.retry(index)
            self.update()

    def removeItem(self):
        """Cancel the selected item if its turn has come, else take it out."""
        index = self._selected()
        if index is None:
            return
        if self.queue.items[index].state == RUNNING:
            self.queue.cancelItem(index)
        else:
            self.queue.remove(index)
        self.update()

    def _onDoubleClicked(self, row, column):
        if self._hasResult(row):
            self.openResult()

    def _hasResult(self, index):
        item = self.queue.items[index]
        return bool(item.resultFile) or (item.resultNode is not None and item.resultNode.GetScene() is not None)

    # --- showing ---

    def parameterModified(self):
        """Show the method that is chosen."""
        self.update()

    def _onMethod(self, index):
        if self.context.parameterNode is not None:
            self.context.parameterNode.method = self.ui.methodComboBox.itemData(index)

    def _onQueueChanged(self):
        table = self.ui.queueTable
        selected = self._selected()
        wasBlocked = table.blockSignals(True)
        table.setRowCount(len(self.queue.items))
        for row in range(len(self.queue.items)):
            self._showItem(row)
        if self.queue.items and selected is None:
            table.selectRow(0)
        table.blockSignals(wasBlocked)
        self.update()

    def _onItemChanged(self, index):
        if index < self.ui.queueTable.rowCount:
            self._showItem(index)
        self.update()

    def _showItem(self, row):
        item = self.queue.items[row]
        state = _states().get(item.state, item.state)
        progress = item.progress
        if progress is not None and progress.total:
            state = _("{percent} %").format(percent=round(100 * progress.done / progress.total))
        for column, text in ((_TITLE, item.title), (_STATE, state)):
            cell = self.ui.queueTable.item(row, column)
            if cell is None:
                cell = qt.QTableWidgetItem()
                self.ui.queueTable.setItem(row, column, cell)
            cell.setText(text)
            cell.setToolTip(item.sentence or str(item.source if item.kind == FILE else item.title))

    def _onFinished(self):
        done = sum(item.state == DONE for item in self.queue.items)
        self._message = _("Found in {done} of {total} volumes.").format(done=done, total=len(self.queue.items))
        self.update()

    def _onSceneClosed(self, caller=None, event=None):
        # volumes of the scene are gone; files can wait for the next one
        for index in reversed(range(len(self.queue.items))):
            if self.queue.items[index].kind != FILE:
                self.queue.remove(index)

    def _fail(self, sentence):
        self._message = sentence
        self.update()

    def update(self, *_values):
        """Enable what can be done, and say why the rest cannot."""
        ui = self.ui
        index = self._selected()
        item = None if index is None else self.queue.items[index]
        running = self.queue.running
        ui.addFolderButton.enabled = bool(ui.folderComboBox.currentItem())
        ui.addSequenceButton.enabled = ui.sequenceComboBox.currentNode() is not None
        ui.openResultButton.enabled = item is not None and self._hasResult(index)
        ui.retryButton.enabled = item is not None and item.state in (FAILED, CANCELLED, NOT_FOUND)
        ui.removeItemButton.enabled = item is not None
        ui.removeItemButton.text = _("Cancel") if item is not None and item.state == RUNNING else _("Remove")
        ui.itemLabel.text = "" if item is None or not item.sentence else f"{item.title}: {item.sentence}"
        ui.itemLabel.visible = bool(ui.itemLabel.text)
        if self.context.parameterNode is not None:
            ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData(self.context.parameterNode.method))
        reason = "" if running else self._reason()
        ui.startButton.text = _("Cancel") if running else _("Start")
        ui.startButton.enabled = running or not reason
        ui.startButton.toolTip = reason or (
            _("Stop; what is done stays") if running else _("Look for the chosen organs in all waiting volumes")
        )
        self._showProgress(running)

    def _showProgress(self, running):
        ui = self.ui
        current = next((item for item in self.queue.items if item.state == RUNNING), None)
        if running:
            showProgress(ui.queueProgressBar, None if current is None else current.progress)
            ui.queueLabel.text = (
                _("Preparing…") if current is None else f"{current.title}: {progressSentence(current.progress)}"
            )
        else:
            ui.queueProgressBar.visible = False
            ui.queueLabel.text = self._message
        ui.queueLabel.visible = bool(ui.queueLabel.text)
