"""Feature encoders: images → one feature map at stride 8. Each is built by name; none fetches anything."""

from .base import FeatureEncoder
from .build import build_encoder, encoder_names

__all__ = ["FeatureEncoder", "build_encoder", "encoder_names"]
