"""Names of the files that results are written to: never one that exists."""

import os

ENDING = ".seg.nrrd"
_DOUBLE = (".nii.gz", ".seg.nrrd", ".img.gz", ".hdr.gz")


def stemOf(path):
    """Name of an image file without its ending, or of a folder."""
    name = os.path.basename(os.path.normpath(str(path)))
    if os.path.isdir(str(path)):
        return name
    lower = name.lower()
    double = next((ending for ending in _DOUBLE if lower.endswith(ending)), None)
    return name[: -len(double)] if double else os.path.splitext(name)[0]


def freeOutput(source, folder=""):
    """A file for the segmentation of an image file that does not exist yet.

    Args:
        source: image file or DICOM folder.
        folder: where it shall lie; beside the source by default.
    """
    folder = str(folder or os.path.dirname(os.path.abspath(os.path.normpath(str(source)))))
    number = 1
    while True:
        suffix = "" if number == 1 else f" {number}"
        path = os.path.join(folder, f"{stemOf(source)}{suffix}{ENDING}")
        if not os.path.lexists(path):
            return path
        number += 1
