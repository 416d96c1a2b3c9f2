"""A section of the panel by itself, with the fake worker: for tests that need no more of the module."""

from __future__ import annotations

import sys

import numpy as np

SHAPE = (12, 24, 28)


class Bench:
    """Makes the context, a volume with two segments, and sections in a window that is as narrow as Slicer's may be."""

    def __init__(self, application):
        self.application = application
        for folder in (application.MODULE.parent, application.HERE.parent):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        import fake_worker
        import qt
        import slicer
        from FewShotSegmentModule.jobs import worker
        from FewShotSegmentModule.logic import FewShotSegmentLogic
        from FewShotSegmentModule.panels.context import PanelContext
        from FewShotSegmentModule.parameters import FewShotSegmentParameterNode

        self.slicer = slicer
        worker.TICK_MILLISECONDS = 5  # the fake worker says one thing at each tick
        self.fake = fake_worker.FakeWorker()
        self.logic = FewShotSegmentLogic(makeTransport=self.fake.make_transport)
        self.context = PanelContext(self.logic, lambda name: str(application.MODULE.parent / "Resources" / name))
        self.messages = []
        self.context.message.connect(lambda level, sentence: self.messages.append(sentence))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        self.context.parameterNode = FewShotSegmentParameterNode(node)
        self.panels = []
        self.window = qt.QWidget()
        self._layout = qt.QVBoxLayout(self.window)
        self.volume = self.add_volume("Meier CT")
        self.segmentation, self.segment_ids = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        for panel in self.panels:
            panel.exit()
            panel.cleanup()
        self.logic.close()
        self.slicer.util.mainWindow().show_panel(None)
        self.window.deleteLater()
        self.slicer.app.processEvents()

    # --- the scene ---

    def add_volume(self, name):
        voxels = np.random.default_rng(0).integers(-100, 200, SHAPE).astype(np.int16)
        return self.slicer.util.addVolumeFromArray(voxels, name=name)

    def annotate(self, names=("Liver",), slices=(5, 6)):
        """A segmentation with these segments, drawn on these slices; it is the selected one."""
        slicer = self.slicer
        self.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Meier segmentation")
        self.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        for number, name in enumerate(names):
            segment = self.segmentation.GetSegmentation().AddEmptySegment("", name)
            mask = np.zeros(SHAPE, np.uint8)
            for index in slices:
                mask[index, 4 + number : 14 + number, 6:18] = 1
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask, self.segmentation, segment, self.volume)
            self.segment_ids.append(segment)
        self.context.parameterNode.volume = self.volume
        self.context.parameterNode.segmentation = self.segmentation
        bench = self

        class Editor:
            def currentSegmentID(self):
                return bench.segment_ids[0] if bench.segment_ids else ""

        self.context.editorWidget = Editor()
        self.context.selectionChanged.emit()

    # --- sections ---

    def open(self, *kinds, collapsed=False, title="Section"):
        """Make sections of these classes in one collapsible button, and open them; returns them."""
        import ctk
        import qt

        section = ctk.ctkCollapsibleButton()
        section.text = title
        section.setLayout(qt.QVBoxLayout())
        section.collapsed = collapsed
        self._layout.addWidget(section)
        made = [kind(self.context, section) for kind in kinds]
        self.context.parameterNodeChanged.emit()
        self.panels += made
        for panel in made:
            panel.section = section
        window = self.slicer.util.mainWindow()
        window.show_panel(self.window)
        for panel in made:
            panel.enter()
        self.slicer.app.processEvents()
        return made[0] if len(made) == 1 else made

    def wait(self, condition=None):
        """Until nothing runs any more, or the condition holds."""

        def idle():
            return not self.logic.busy

        self.application.wait_until(condition or idle)
        self.slicer.app.processEvents()

    def requests(self, kind):
        """What the worker was asked of this kind."""
        return [request for request in self.fake.requests if request.kind == kind]

    def picture(self, path, width=360):
        """Save a screenshot; returns (width asked for, width that the contents need)."""
        self.slicer.app.processEvents()
        needed = self._layout.minimumSize().width()
        self.slicer.util.mainWindow().show_panel(None)  # there it would be as wide as the main window
        self.window.resize(width, 1)
        self.window.show()
        self.slicer.app.processEvents()
        self.window.resize(width, self._layout.heightForWidth(width))
        self.slicer.app.processEvents()
        self.window.grab().save(str(path))
        self.window.hide()
        return width, needed


def rows(table):
    """Texts of a QTableWidget."""
    return [
        [table.item(row, column).text() if table.item(row, column) else "" for column in range(table.columnCount)]
        for row in range(table.rowCount)
    ]


def buttons(panel):
    """All push buttons of a section that its .ui file names."""
    import qt

    return [
        widget for widget in vars(panel.ui).values() if isinstance(widget, qt.QPushButton) and "Button" in widget.name
    ]
