"""The prototype of the shared folder with its own weights, imported from there: the mark that the engine must keep."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import engine  # noqa: F401 - puts this checkout on the path, before anything of FewShotSegmentLib is imported
import numpy as np

from FewShotSegmentLib.evaluation.method import Answer, Recipe, Within
from FewShotSegmentLib.evaluation.methods.base import Base, soft_tissue

NAME = "prototype-shared"
# Key of the recipe's options.
FOLDER = "shared"


def missing(shared: Path) -> str | None:
    """Why the prototype cannot be measured here, if it cannot."""
    folder = shared / "prototype"
    needed = (folder / "infer.py", folder / "propagator.py", folder / "weights" / "propagator-v0.safetensors")
    absent = [path.name for path in needed if not path.is_file()]
    return f"{', '.join(absent)} not in the shared folder" if absent else None


class SharedPrototype(Base):
    """The loaded prototype, as a method of the evaluation."""

    def __init__(self, recipe: Recipe):
        from safetensors.torch import load_file

        folder = Path(recipe.options[FOLDER]) / "prototype"
        weights = load_file(folder / "weights" / "propagator-v0.safetensors")
        self._model = _module(folder / "propagator.py").Propagator()
        self._model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        self._model.eval()
        self._infer = _module(folder / "infer.py")
        super().__init__(recipe, parameters=sum(weight.numel() for weight in self._model.parameters()))

    def within(self, question: Within) -> Answer:
        """CT is clipped to soft tissue, as for the prototype's own figures.

        It was made for one annotated slice; of several, each carries the slices that are nearest to it.
        """
        image = soft_tissue(question.volume)
        found = np.zeros(image.shape, bool)
        for support, first, last in _nearest(question.anchors, len(image)):
            part = image[first : last + 1]
            mask = question.anchors[support]
            found[first : last + 1] = self._infer.propagate(self._model, part, support - first, mask)
        return Answer(found)


def make(recipe: Recipe) -> SharedPrototype:
    """Make it; `FOLDER` in the recipe's options is the shared folder."""
    return SharedPrototype(recipe)


def _nearest(anchors: Iterable[int], count: int) -> Iterator[tuple[int, int, int]]:
    """(annotated slice, first and last of the slices nearest to it); of two as near the lower one has it."""
    indices = sorted(anchors)
    first = 0
    for index, above in zip(indices, [*indices[1:], None], strict=True):
        last = count - 1 if above is None else (index + above) // 2
        yield index, first, last
        first = last + 1


def _module(path: Path):
    """A file as a module, under a name that no other module has."""
    spec = importlib.util.spec_from_file_location(f"bench_prototype_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
