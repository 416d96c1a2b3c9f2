"""What all sections of the panel have in common."""

import logging

import slicer
import vtk
from slicer.util import VTKObservationMixin

from .shortcuts import Shortcuts

PARAMETER_PROPERTY = "SlicerParameterName"
"""Dynamic property of a widget in a .ui file: the parameter that it shows."""


class Panel(VTKObservationMixin):
    """A section: widgets from its own .ui file, bound to the parameter node, with what they do.

    uiName: file in Resources/UI, without ".ui".
    context: PanelContext, shared by all sections.
    widget: top-level widget.
    ui: its child widgets, by name.
    shortcuts: its keyboard shortcuts, which exist between `enter` and `exit` only.
    """

    uiName = ""

    def __init__(self, context, layout):
        """Load the widgets into a layout, or into the layout of a widget."""
        VTKObservationMixin.__init__(self)
        self.context = context
        self.entered = False
        self.shortcuts = Shortcuts({})
        self._boundNode = None
        self._boundTag = None
        self._boundObservers = []
        self.widget = slicer.util.loadUI(context.resourcePath(f"UI/{self.uiName}.ui"))
        (layout if hasattr(layout, "addWidget") else layout.layout()).addWidget(self.widget)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        context.parameterNodeChanged.connect(self._bindParameters)

    # --- called by the module's widget ---

    def enter(self):
        """The module is shown."""
        self.entered = True
        self.shortcuts.install()
        self.update()

    def exit(self):
        """Another module is shown."""
        self.entered = False
        self.shortcuts.remove()

    def cleanup(self):
        """The module is unloaded."""
        self.shortcuts.remove()
        self._unbind()
        self.removeObservers()

    def update(self):
        """Show the present state."""

    @staticmethod
    def showText(label, text):
        """Show a text; a label without one takes no room."""
        label.text = text
        label.visible = bool(text)

    # --- parameters ---

    def parameterModified(self):
        """A parameter may have changed."""

    def _bindParameters(self):
        self._unbind()
        node = self.context.parameterNode
        if node is None:
            return
        widgets = {}
        for widget in vars(self.ui).values():
            name = widget.property(PARAMETER_PROPERTY)
            if name:
                widgets[name] = widget
        self._boundNode = node
        # connectGui() does the same, but does not say in all versions of Slicer by which tag it is undone
        self._boundTag = node.connectParametersToGui(widgets)
        self._boundObservers = node.takeTags()
        self.addObserver(node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameterModified)

    def _unbind(self):
        if self._boundNode is None:
            return
        self.removeObserver(self._boundNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameterModified)
        self._boundNode.disconnectGui(self._boundTag)
        for tag in self._boundObservers:
            self._boundNode.RemoveObserver(tag)
        self._boundNode = self._boundTag = None
        self._boundObservers = []

    def _onParameterModified(self, caller=None, event=None):
        try:
            self.parameterModified()
        except Exception:  # an exception in a VTK observer is only printed
            logging.exception("FewShotSegment: %s could not follow a change", type(self).__name__)
