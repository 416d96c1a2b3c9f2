"""Bundled weights: where they are, what they are, and proof that they are whole."""

from .load import load_state
from .manifest import WeightsInfo, find_weights, read_manifest, weights_folder

__all__ = ["WeightsInfo", "find_weights", "load_state", "read_manifest", "weights_folder"]
