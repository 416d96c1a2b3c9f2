"""From voxels of any scanner to what the networks see, and back: the one path for training and inference."""

from .modality import MODALITIES, decide_modality, guess_modality
from .volume import NormalisedVolume, normalise
from .window import Window, WindowedVolume, box_of_mask, window_around

__all__ = [
    "MODALITIES",
    "NormalisedVolume",
    "Window",
    "WindowedVolume",
    "box_of_mask",
    "decide_modality",
    "guess_modality",
    "normalise",
    "window_around",
]
