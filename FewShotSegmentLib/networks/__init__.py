"""Networks: what is learned. Nothing here knows of volumes, files or devices."""

from .propagator import MATCH_STRIDE, SIZE_MULTIPLE, MemoryEntry, Propagator, Readout, SliceFeatures

__all__ = ["MATCH_STRIDE", "SIZE_MULTIPLE", "MemoryEntry", "Propagator", "Readout", "SliceFeatures"]
