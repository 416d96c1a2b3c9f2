"""Random 3D anatomies with random appearances: training material without a patient, and so without a licence."""

from .anatomy import SyntheticBlock, make_block
from .settings import SyntheticSettings

__all__ = ["SyntheticBlock", "SyntheticSettings", "make_block"]
