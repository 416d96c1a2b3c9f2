"""From voxels of any scanner to what the networks see, and back: the one path for training and inference."""

from .modality import MODALITIES, decide_modality, guess_modality
from .volume import NormalisedVolume, normalise

__all__ = ["MODALITIES", "NormalisedVolume", "decide_modality", "guess_modality", "normalise"]
