"""How structures move from slice to slice: slices are registered with their neighbours, and masks move along."""

from .registration import RegistrationSettings, register, smoothed
from .warp import compose, enlarge, warp

__all__ = ["RegistrationSettings", "compose", "enlarge", "register", "smoothed", "warp"]
