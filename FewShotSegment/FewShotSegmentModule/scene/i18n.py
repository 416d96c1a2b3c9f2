"""`_` marks and translates what the user reads."""

try:
    from slicer.i18n import tr as _
except ImportError:  # the Python package slicer-core has no translations

    def _(text):
        return text


__all__ = ["_"]
