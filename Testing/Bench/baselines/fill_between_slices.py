"""Slicer's 'Fill between slices' (ITK's morphological contour interpolation): shape only, the image is not looked at.

It cannot go past the outermost annotated slices, so it needs at least two, and the ends of the organ among them. Where
small outlines do not overlap (spinal cord, oesophagus) it fills nothing, whatever its options.
"""

from __future__ import annotations

import numpy as np
from cases import Structure

from baselines import slicer_process


def propagate(structure: Structure, anchors: dict[int, np.ndarray]) -> np.ndarray:
    labels = np.zeros(structure.reference.shape, dtype=np.int16)
    for z, mask in anchors.items():
        labels[z] = mask
    return slicer_process.call(fill, labels).astype(bool)


def fill(labels: np.ndarray) -> np.ndarray:
    """The filter itself, with the effect's defaults; runs in the process that has slicer."""
    import slicer

    interpolator = slicer.vtkITKMorphologicalContourInterpolator()
    interpolator.SetInputData(slicer_process.vtk_image(labels))
    interpolator.Update()
    return slicer_process.numpy_array(interpolator.GetOutput(), labels.shape)
