"""The prototype of the shared folder with its own weights, imported from there: the mark that the engine must keep."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from cases import Structure


def missing(shared: Path) -> str | None:
    """Why the prototype cannot be measured here, if it cannot."""
    folder = shared / "prototype"
    needed = (folder / "infer.py", folder / "propagator.py", folder / "weights" / "propagator-v0.safetensors")
    absent = [path.name for path in needed if not path.is_file()]
    return f"{', '.join(absent)} not in the shared folder" if absent else None


class Prototype:
    """The loaded prototype; call it like the other baselines."""

    def __init__(self, shared: Path):
        from safetensors.torch import load_file

        folder = shared / "prototype"
        weights = load_file(folder / "weights" / "propagator-v0.safetensors")
        self.model = _module(folder / "propagator.py").Propagator()
        self.model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        self.model.eval()
        self.infer = _module(folder / "infer.py")

    def propagate(self, structure: Structure, anchors: dict[int, np.ndarray]) -> np.ndarray:
        ((support, mask),) = anchors.items()
        return self.infer.propagate(self.model, structure.windowed, support, mask)


def _module(path: Path):
    """A file as a module, under a name that no other module has."""
    spec = importlib.util.spec_from_file_location(f"bench_prototype_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
