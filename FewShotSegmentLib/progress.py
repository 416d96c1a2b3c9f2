"""How the engine says how far it is; importable without torch."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (slices done, slices in all); slices of several segments count each."""
