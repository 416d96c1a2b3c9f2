"""The range of slices that may hold the structure, as the user has chosen it."""

from slicer.i18n import tr as _

from ..scene import geometry


def rangeOf(context, axis):
    """(first, last) slice along an array axis of the volume; None if there is no range along it."""
    parameters, volume = context.parameterNode, context.volumeNode
    if parameters is None or volume is None or not parameters.useRange or parameters.rangeAxis != axis:
        return None
    end = geometry.volumeShape(volume)[axis] - 1
    first, last = parameters.firstSlice, min(parameters.lastSlice, end)
    # 0 to 0: switched on, and no end was chosen yet; a range of another volume may lie beyond the end of this one
    return (first, last) if 0 <= first <= last and last > 0 else None


def asRange(first, last):
    """How a range of slices is written."""
    return _("{first}–{last}").format(first=first, last=last)
