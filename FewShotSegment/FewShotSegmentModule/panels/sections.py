"""Which section of the panel is what, in the order in which they are made."""

from .anchorsPanel import AnchorsPanel
from .annotationPanel import AnnotationPanel
from .finetunePanel import FinetunePanel
from .libraryPanel import LibraryPanel
from .propagatePanel import PropagatePanel
from .reviewPanel import ReviewPanel
from .setupPanel import SetupPanel
from .volumesPanel import VolumesPanel


def makeSections(context, ui):
    """The sections, each in its place of the frame; the first one makes the editor that others use."""
    places = (
        (AnnotationPanel, ui.annotationSection),
        (PropagatePanel, ui.propagateSection),
        (ReviewPanel, ui.reviewSection),
        (AnchorsPanel, ui.anchorsSection),
        (LibraryPanel, ui.volumesSection),
        (VolumesPanel, ui.volumesSection),
        (FinetunePanel, ui.finetuneSection),
        (SetupPanel, ui.setupSection),
    )
    return [section(context, place) for section, place in places]
