"""The support library: annotated organs that are looked for in other volumes."""

import logging
import os
from collections import Counter

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ..setup import dependencies
from .background import Background, progressSentence
from .panel import Panel
from .supports import SupportChoice

_ID = qt.Qt.UserRole
_SUFFIX = ".fsslib"


class LibraryPanel(Panel):
    """Shows the user's library, adds, removes, imports and exports, and says what is looked for.

    Nothing is asked of the engine before the section is opened.
    """

    uiName = "Library"

    def __init__(self, context, layout):
        super().__init__(context, layout)
        self._section = layout if hasattr(layout, "collapsed") else None
        self._entries = None  # not read yet
        self._message = ""
        self._busyWith = ""
        context.supportChoice = SupportChoice(context)
        self.choice = context.supportChoice
        self.background = Background(self._fail)
        self.background.changed.connect(self.update)
        context.selectionChanged.connect(self.update)
        context.annotationChanged.connect(self.update)
        ui = self.ui
        ui.addSegmentButton.connect("clicked()", self.addSegment)
        ui.removeEntriesButton.connect("clicked()", self.removeEntries)
        ui.importLibraryButton.connect("clicked()", self.importLibrary)
        ui.exportLibraryButton.connect("clicked()", self.exportLibrary)
        ui.refreshLibraryButton.connect("clicked()", self.refresh)
        ui.libraryList.connect("itemChanged(QListWidgetItem*)", self._onItemChanged)
        ui.sceneSupportsCheckBox.connect("toggled(bool)", self._onSceneToggled)
        if self._section is not None:
            self._section.connect("contentsCollapsed(bool)", self._onCollapsed)
        self.update()

    def enter(self):
        """Read the library if it can be seen and has not been read."""
        super().enter()
        if self._section is None or not self._section.collapsed:
            self._readOnce()

    def cleanup(self):
        """Nothing goes on."""
        self.background.cancel()
        super().cleanup()

    # --- reading ---

    def _onCollapsed(self, collapsed):
        if not collapsed and self.entered:
            self._readOnce()

    def _readOnce(self):
        if self._entries is None and not self.background.busy and not dependencies.missingPackages():
            self.refresh()

    def refresh(self):
        """Read the library."""
        self._run(_("Reading the library…"), "list", self._onEntries)

    def _run(self, words, action, onDone, **arguments):
        if self.background.busy:
            return
        if not self.context.ensureReady(lambda: self._run(words, action, onDone, **arguments)):
            return
        self._message, self._busyWith = "", words
        self.background.run(lambda: self.context.logic.startLibrary(action, **arguments), onDone)

    def _onEntries(self, job):
        self._show(job.answer.get("entries", []))

    def _show(self, entries):
        """Fill the list; what was ticked stays so, new entries are ticked."""
        known = {entry["id"] for entry in self._entries or ()}
        ticked = set(self.choice.entries)
        if self._entries is not None:
            ticked |= {entry["id"] for entry in entries} - known
        self._entries = entries
        ui = self.ui
        wasBlocked = ui.libraryList.blockSignals(True)
        ui.libraryList.clear()
        for entry in entries:
            ui.libraryList.addItem(self._item(entry, entry["id"] in ticked))
        ui.libraryList.blockSignals(wasBlocked)
        self._collectTicked()

    def _item(self, entry, isTicked):
        count = entry.get("slices", 1)
        details = [
            str(entry.get("modality", "")).upper(),
            _("1 slice") if count == 1 else _("{count} slices").format(count=count),
            str(entry.get("added", "")),
        ]
        item = qt.QListWidgetItem("{}\n{}".format(entry["name"], " · ".join(part for part in details if part)))
        item.setData(_ID, entry["id"])
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(qt.Qt.Checked if isTicked else qt.Qt.Unchecked)
        pixmap = thumbnail(entry.get("thumbnail", ""))
        if pixmap is not None:
            item.setIcon(qt.QIcon(pixmap))
        return item

    # --- choosing ---

    def _items(self):
        return [self.ui.libraryList.item(row) for row in range(self.ui.libraryList.count)]

    def tick(self, entryId, isTicked=True):
        """Choose an entry, or not."""
        for item in self._items():
            if item.data(_ID) == entryId:
                item.setCheckState(qt.Qt.Checked if isTicked else qt.Qt.Unchecked)

    def _onItemChanged(self, item):
        self._collectTicked()

    def _collectTicked(self):
        ticked = [item.data(_ID) for item in self._items() if item.checkState() == qt.Qt.Checked]
        names = {entry["id"]: entry["name"] for entry in self._entries or ()}
        self.choice.entries = ticked
        self.choice.names = [names.get(entry, "") for entry in ticked]
        self.choice.changed.emit()
        self.update()

    def _onSceneToggled(self, isOn):
        self.choice.useScene = isOn
        self.choice.changed.emit()
        self.update()

    # --- changing ---

    def addSegment(self):
        """Keep the selected segment's annotated slices, and the image on them."""
        context = self.context
        segmentId = context.segmentId
        if not segmentId or context.volumeNode is None:
            return
        self._run(
            _("Adding the segment…"),
            "add",
            self._onAdded,
            volumeNode=context.volumeNode,
            segmentationNode=context.segmentationNode,
            segmentIds=[segmentId],
        )

    def _onAdded(self, job):
        self._show(job.answer.get("entries", []))
        added = job.answer.get("added", [])
        sentence = _("Added to the library.") if added else _("The library has it already.")
        self._message = " ".join([sentence, *job.notes])

    def removeEntries(self):
        """Remove the ticked entries, after one question."""
        if not self.choice.entries:
            return
        question = _("Remove from the library: {names}? This cannot be undone.").format(
            names=", ".join(self.choice.names)
        )
        if slicer.util.confirmYesNoDisplay(question, _("FewShotSegment"), parent=self.widget):
            self._run(_("Removing…"), "remove", self._onRemoved, entries=list(self.choice.entries))

    def _onRemoved(self, job):
        self._show(job.answer.get("entries", []))
        self._message = _("Removed: {count}.").format(count=len(job.answer.get("removed", [])))

    def importLibrary(self):
        """Add the entries of a file."""
        path = qt.QFileDialog.getOpenFileName(self.widget, _("Import a support library"), "", _filter())
        if path:
            self._run(_("Importing…"), "import", self._onImported, path=str(path))

    def _onImported(self, job):
        self._show(job.answer.get("entries", []))
        sentence = _("Imported: {count}.").format(count=len(job.answer.get("added", [])))
        self._message = " ".join([sentence, *job.notes])

    def exportLibrary(self):
        """Write the ticked entries to a new file."""
        if not self.choice.entries:
            return
        path = str(
            qt.QFileDialog.getSaveFileName(self.widget, _("Export the ticked entries"), "library" + _SUFFIX, _filter())
            or ""
        )
        if not path:
            return
        if os.path.exists(path):
            self._fail(_("There is such a file already, and it is not overwritten: choose another name."))
            return
        self._run(_("Exporting…"), "export", self._onExported, entries=list(self.choice.entries), path=path)

    def _onExported(self, job):
        self._message = _("Exported the ticked entries.")

    # --- showing ---

    def _fail(self, sentence):
        self._message = sentence
        self.update()

    def update(self):
        """Enable what can be done, and say why the rest cannot."""
        ui, context = self.ui, self.context
        busy = self.background.busy
        hasSegment = bool(context.segmentId) and context.volumeNode is not None
        ui.addSegmentButton.enabled = hasSegment and not busy
        ui.addSegmentButton.toolTip = (
            _("Keep the annotated slices of the selected segment, and the image on them, in the library")
            if hasSegment
            else _("Annotate a segment first, in the section at the top")
        )
        ui.removeEntriesButton.enabled = ui.exportLibraryButton.enabled = bool(self.choice.entries) and not busy
        ui.importLibraryButton.enabled = ui.refreshLibraryButton.enabled = not busy
        if busy:
            progress = self.background.job.progress
            ui.libraryLabel.text = progressSentence(progress) if progress else self._busyWith
        elif self._message:
            ui.libraryLabel.text = self._message
        elif self._entries is None:
            ui.libraryLabel.text = _("The library has not been read yet.")
        elif not self._entries:
            ui.libraryLabel.text = _("The library is empty: annotate a segment, then add it here.")
        else:
            ui.libraryLabel.text = ""
        ui.libraryLabel.visible = bool(ui.libraryLabel.text)
        ui.supportsLabel.text = self._supportsSentence()

    def _supportsSentence(self):
        words = [
            name if count == 1 else _("{name} ({count} examples)").format(name=name, count=count)
            for name, count in Counter(self.choice.names).items()
        ]
        for _volumeNode, segmentationNode, _segmentIds in self.choice.sceneSupports():
            words.append(_("what is drawn in {name}").format(name=segmentationNode.GetName()))
        if words:
            return _("Looked for: {names}").format(names=", ".join(words))
        if self.choice.useScene:
            return _("Nothing is looked for yet: no segment of this scene is annotated.")
        return _("Nothing is looked for yet: tick an entry, or this scene's segments.")


def _filter():
    return _("Support library") + f" (*{_SUFFIX})"


def thumbnail(path):
    """Picture of an entry from the worker's `.npy`, or None."""
    if not path or not os.path.isfile(path):
        return None
    picture = path + ".ppm"
    try:
        pixels = np.load(path, allow_pickle=False)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            return None
        # PythonQt makes no QImage from memory; this format is a line of text before the pixels
        with open(picture, "wb") as stream:
            stream.write(b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]))
            stream.write(np.ascontiguousarray(pixels).tobytes())
        pixmap = qt.QPixmap(picture)
        return None if pixmap.isNull() else pixmap
    except (OSError, ValueError):
        logging.exception("FewShotSegment: no thumbnail")
        return None
    finally:
        if os.path.exists(picture):
            os.remove(picture)
