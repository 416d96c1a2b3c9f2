"""JSON in a segment's tags: undone with the segment, saved in .seg.nrrd files and in scenes."""

import json

import vtk

ANCHORS = "FewShotSegment.Anchors"
PROVENANCE = "FewShotSegment.Provenance"


def readTag(segment, name):
    """The value of a segment's tag; None if it has no such tag, or not one that we wrote."""
    text = vtk.reference("")
    if not segment.GetTag(name, text):
        return None
    try:
        return json.loads(str(text))
    except ValueError:
        return None


def writeTag(segment, name, value):
    """Keep a value that JSON can hold in a segment's tag; None removes it."""
    if value is None:
        segment.RemoveTag(name)
    else:
        segment.SetTag(name, encode(value))


def encode(value):
    """JSON on one line, without what has a meaning of its own in Slicer's files."""
    # Slicer cuts the tags of a .seg.nrrd file at every "|"; non-ASCII becomes \\u escapes anyway
    return json.dumps(value, separators=(",", ":")).replace("|", "\\u007c")
