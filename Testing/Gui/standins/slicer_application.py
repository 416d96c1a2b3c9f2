"""slicer.app, slicer.modules' manager and the main window."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import headless_slicer
import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, Signal

from standins.dialogs import dialogs

VERSION = (5, 12, 4)


class qSlicerModuleManager(QObject):
    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)
    moduleLoaded = Signal(str)
    modulesLoaded = Signal(list)

    def __init__(self):
        super().__init__()
        self._modules = {}

    def add(self, name: str, module) -> None:
        self._modules[name] = self._modules[name.lower()] = module

    def module(self, name: str):
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list({module.name: None for module in self._modules.values()})

    def factoryManager(self):
        return SimpleNamespace(loadedModuleNames=self.modulesNames)


class _ModuleSelector(QtWidgets.QWidget):
    """qSlicerModuleSelectorToolBar."""

    moduleSelected = Signal(str)

    def __init__(self, parent):
        super().__init__(parent)
        self._selected = ""

    selectedModule = property(lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        """exit() of the module that is left, enter() of the one that is opened."""
        if name == self._selected:
            return
        left, self._selected = self._selected, name
        if hasattr(slicer.modules, f"{left}Widget"):
            getattr(slicer.modules, left.lower()).widgetRepresentation().exit()
        panel = None
        if hasattr(slicer.modules, f"{name}Widget"):
            panel = getattr(slicer.modules, name.lower()).widgetRepresentation()
        self.window().show_panel(panel)
        if panel is not None:
            panel.enter()
        self.moduleSelected.emit(name)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The window with the module panel at the left; the place of the views stays empty."""

    def __init__(self):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._scroll = QtWidgets.QScrollArea()
        self._scroll.setWidgetResizable(True)
        self.setCentralWidget(self._scroll)
        self._selector = _ModuleSelector(self)
        self.resize(520, 900)

    def moduleSelector(self):
        return self._selector

    def pythonConsole(self):
        return None

    def show_panel(self, panel) -> None:
        before = self._scroll.takeWidget()
        if before is not None:
            before.setParent(None)
            before.hide()
        if panel is not None:
            self._scroll.setWidget(panel)
            panel.show()


class qSlicerApplication(QtWidgets.QApplication):
    """One per process; its settings lie in a folder that is removed at the end."""

    startupCompleted = Signal()

    def __init__(self):
        super().__init__(["Slicer"])
        self._folder = tempfile.TemporaryDirectory(prefix="slicer-application-")
        self._core = slicer.app
        self._manager = qSlicerModuleManager()
        self._layout = None
        self._window = None
        self._testing = False
        settings = Path(self._folder.name) / "settings"
        for kind in ("CONFIG", "DATA", "CACHE"):  # where QStandardPaths and platformdirs put a user's files
            os.environ[f"XDG_{kind}_HOME"] = str(Path(self._folder.name) / kind.lower())
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
            QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, str(settings))
        self.setOrganizationName("NA-MIC")
        self.setApplicationName("Slicer")
        self.setApplicationVersion(".".join(map(str, VERSION)))
        self.setStyle("Fusion")  # the same on each machine
        font = QtGui.QFont("DejaVu Sans")
        font.setPixelSize(12)
        self.setFont(font)

    # --- as far as there is one without Qt ---

    def applicationLogic(self):
        return self._core.applicationLogic()

    def coreIOManager(self):
        return headless_slicer.CoreIOManager

    ioManager = coreIOManager

    def mrmlScene(self):
        return slicer.mrmlScene

    # --- windows and modules ---

    def moduleManager(self):
        return self._manager

    def layoutManager(self):
        return self._layout

    def mainWindow(self):
        return self._window

    def commandOptions(self):
        return SimpleNamespace(noMainWindow=False, testingEnabled=self._testing, disableSettings=False)

    def testingEnabled(self) -> bool:
        """False, so that messages are shown as they are to users; tests answer them."""
        return self._testing

    def isEmbeddedPython(self) -> bool:
        return True

    # --- folders, versions, settings ---

    temporaryPath = property(lambda self: self._folder.name)
    slicerHome = property(lambda self: str(Path(self._folder.name) / "home"))
    extensionsInstallPath = property(lambda self: str(Path(self._folder.name) / "extensions"))
    slicerUserSettingsFilePath = property(lambda self: self.userSettings().fileName())
    majorVersion, minorVersion, patchVersion = (property(lambda self, part=part: part) for part in VERSION)
    revision = property(lambda self: "0")
    repositoryRevision = property(lambda self: "0")
    platform = property(lambda self: "linux-amd64")
    os = property(lambda self: "linux")
    arch = property(lambda self: "amd64")
    documentationBaseUrl = property(lambda self: "https://slicer.readthedocs.io/en/latest/")
    errorLogModel = property(lambda self: lambda: SimpleNamespace(filePath=""))

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    def userSettings(self):
        return QtCore.QSettings()

    settings = revisionUserSettings = userSettings

    def startupEnvironment(self):
        return QtCore.QProcessEnvironment.systemEnvironment()

    def translate(self, _context: str, text: str, *_more) -> str:
        return text

    # --- what changes nothing here ---

    def pauseRender(self) -> None:
        pass

    resumeRender = pauseRender

    def setRenderPaused(self, _paused: bool) -> None:
        pass

    def restart(self) -> None:
        """Recorded as a dialog of the kind "restart": a module has to be told to do that."""
        dialogs.show("restart", "Slicer restarts")

    def openExtensionsManagerDialog(self) -> None:
        dialogs.show("extensions", "Extensions Manager")

    def extensionsManagerModel(self):
        return None


def install() -> qSlicerApplication:
    from standins import layout, subject_hierarchy

    application = qSlicerApplication()
    for name, module in list(vars(slicer.modules).items()):
        application._manager.add(name, module)
    slicer.app = application
    application._layout = layout.qSlicerLayoutManager()
    application._window = qSlicerMainWindow()
    application._window.show()
    subject_hierarchy.add_items_for_nodes(slicer.mrmlScene)
    return application
