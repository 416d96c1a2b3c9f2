"""From voxels of any scanner to what the networks see, and back: the one path for training and inference."""

from .modality import MODALITIES, guess_modality
from .volume import NormalisedVolume, normalise

__all__ = ["MODALITIES", "NormalisedVolume", "guess_modality", "normalise"]
