"""The class decorator."""

import typing
import weakref

import slicer
import vtk

from . import annotations as marks
from .connectors import connectorFor
from .storage import storageFor

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Parameter:
    """One annotated member: reads and writes the node; the last value read is kept until the node changes."""

    def __init__(self, name, annotated, default):
        self.basename = name
        self.unalteredType = annotated
        self.storage = storageFor(annotated)
        self.default = default

    def __get__(self, wrapper, owner=None):
        if wrapper is None:
            return self
        values = wrapper._values
        if self.basename not in values or not self.storage.cached:
            if not self.storage.isIn(wrapper.parameterNode, self.basename):
                self.storage.write(wrapper.parameterNode, self.basename, self.default.value)
            values[self.basename] = self.storage.read(wrapper.parameterNode, self.basename)
        return values[self.basename]

    def __set__(self, wrapper, value):
        with slicer.util.NodeModify(wrapper.parameterNode):
            self.storage.write(wrapper.parameterNode, self.basename, value)
            # observers that are called when the block ends must not see the value from before
            wrapper._values.clear()


_KEPT = []


class _Wrapper:
    """Methods of every wrapper."""

    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode, prefix=None):
        if prefix:
            raise NotImplementedError("the stand-in for parameterNodeWrapper has no prefixes")
        self.parameterNode = parameterNode
        self._values = {}
        self._guis = {}
        self._nextTag = 0
        self._updatingGUIFromParameterNode = False
        for name, parameter in self.allParameters.items():
            if not parameter.storage.isIn(parameterNode, name):
                parameter.storage.write(parameterNode, name, parameter.default.value)
        itself = weakref.ref(self)

        def forget(*_):
            wrapper = itself()
            if wrapper is not None:
                wrapper._values.clear()

        # VTK does not hold what it calls: collected in the midst of the call, with its wrapper, it would crash
        _KEPT.append(forget)
        self._tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, forget, 1.0)

    def __del__(self):
        if hasattr(self, "_tag"):
            self.parameterNode.RemoveObserver(self._tag)

    def _parameter(self, name):
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")
        return self.allParameters[name]

    def default(self, name):
        return self._parameter(name).default

    def dataType(self, name):
        return self._parameter(name).unalteredType

    def isCached(self, name):
        return self._parameter(name).storage.cached

    def getValue(self, name):
        self._parameter(name)
        return getattr(self, name)

    def setValue(self, name, value):
        self._parameter(name)
        setattr(self, name, value)

    # --- widgets ---

    def connectGui(self, gui):
        """Connect each widget that has the property SlicerParameterName.

        As in Slicer (5.13) nothing is returned, so that this cannot be undone: connectParametersToGui can.
        """
        widgets = vars(gui).values() if not hasattr(gui, "isWidgetType") else slicer.util.findChildren(gui)
        named = [(widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets]
        self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping):
        """Connect widgets by the names of parameters; returns a tag for disconnectGui."""
        connectors = {name: connectorFor(widget, self.dataType(name)) for name, widget in mapping.items()}
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        self._guis[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._fromGui(name, connector))

        def show(*_):
            self._toGui()

        _KEPT.append(show)
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
        return tag

    def disconnectGui(self, tag):
        for connector in self._guis.pop(tag, {}).values():
            connector.onChanged(None)

    def _fromGui(self, name, connector):
        if not self._updatingGUIFromParameterNode:
            self.setValue(name, connector.read())

    def _toGui(self):
        if self._updatingGUIFromParameterNode:
            return
        self._updatingGUIFromParameterNode = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updatingGUIFromParameterNode = False

    # --- the node ---

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        return self.parameterNode.Modified()


def parameterNodeWrapper(classtype=None):
    """Class decorator, with or without parentheses."""
    return _wrap if classtype is None else _wrap(classtype)


def _wrap(classtype):
    parameters = {}
    for name, annotated in typing.get_type_hints(classtype, include_extras=True).items():
        if hasattr(_Wrapper, name) or name == "parameterNode":
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        default = marks.first(marks.split(annotated)[1], marks.Default)
        if hasattr(classtype, name):
            default = marks.Default(getattr(classtype, name))
        parameter = _Parameter(name, annotated, default)
        if default is None:
            parameter.default = marks.Default(generator=lambda storage=parameter.storage: storage.default)
        parameters[name] = parameter
        setattr(classtype, name, parameter)
    classtype.allParameters = parameters
    for name, value in vars(_Wrapper).items():
        if not name.startswith("__") or name in ("__init__", "__del__"):
            setattr(classtype, name, value)
    return classtype


def isParameterNodeWrapper(classOrObject):
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)
