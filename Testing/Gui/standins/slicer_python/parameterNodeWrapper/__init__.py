"""Stand-in for slicer.parameterNodeWrapper: typed access to a parameter node, and its binding to widgets.

Values are stored under the names and in the form that Slicer's own wrapper uses. Left out: parameter packs, and widgets
that Slicer makes from a class.
"""

from .annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    Maximum,
    Minimum,
    SingleStep,
    Validator,
    WithinRange,
)
from .wrapper import SlicerParameterNamePropertyName, isParameterNodeWrapper, parameterNodeWrapper

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "Maximum",
    "Minimum",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]
