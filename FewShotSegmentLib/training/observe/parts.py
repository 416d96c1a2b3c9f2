"""A picture of what a network is trained on, with its own answers beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...devices import is_out_of_memory
from ...errors import FewShotError, InputError
from ...networks import Propagator, Refiner
from ..batches import SequenceBatch
from ..few_shot_task import EpisodeBatch
from ..networks import make_task
from ..refiner_task import lead
from ..settings import TrainSettings
from ..trainer import Source
from ..windows import WindowBatch
from .figures import new_figure, save_figure
from .files import Notes

_OTHER_PATIENT_LOCALITY = 0.05  # as in `propagator_task`

_SHOWN = (-2.0, 2.5)
"""Deviations from the mean that are black and white: soft tissue in the middle."""

_MOST_ROWS, _MOST_COLUMNS = 6, 9
_CELL, _HEAD = 1.7, 0.55
"""Inches."""

_DARK = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
_SUPPORT, _TRUTH, _ANSWER = "#ffd23f", "#35e0d0", "#ff4f9a"


class Strip(NamedTuple):
    """A row of the picture.

    Attributes:
        title: of the row.
        supports: (image [H, W], mask [H, W]) of each; of windows the annotated slice, and the one begun from where
            that is another.
        queries: (image, truth, answer or None) of each; truth None where it is not known.
    """

    title: str
    supports: list[tuple[Tensor, Tensor]]
    queries: list[tuple[Tensor, Tensor | None, Tensor | None]]


def draw_strips(strips: Sequence[Strip], path: str | Path, title: str = "") -> None:
    """Draw a row for each strip: supports with their outline, then queries with those of truth and answer.

    Args:
        strips: 1 or more.
        path: a .png file, replaced in one step if it is there.
        title: above all.

    Raises:
        InputError: no strip, or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    if not strips:
        raise InputError("There is nothing to draw.")
    supports = max(len(strip.supports) for strip in strips)
    columns = supports + max(len(strip.queries) for strip in strips)
    height = _CELL * len(strips) + _HEAD
    figure = new_figure(_CELL * columns, height, dpi=120, facecolor="black")
    grid = figure.subplots(len(strips), columns, squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - _HEAD / height, wspace=0.02, hspace=0.02)
    for axes in grid.ravel():
        axes.axis("off")
    for row, strip in zip(grid, strips, strict=True):
        for axes, (image, mask) in zip(row, strip.supports, strict=False):
            _draw(axes, image, [(mask, _SUPPORT)])
        for axes, (image, truth, answer) in zip(row[supports:], strip.queries, strict=False):
            _draw(axes, image, [(truth, _TRUTH), (answer, _ANSWER)])
            if truth is None:
                _say(axes, "truth not known")
            elif not bool((truth > 0.5).any()):
                _say(axes, "absent")
        row[0].text(
            0.03, 0.94, strip.title, color="white", fontsize=7, va="top", transform=row[0].transAxes, bbox=_DARK
        )
    colors = [("support", _SUPPORT), ("truth", _TRUTH)]
    colors += [("the network's answer", _ANSWER)] if any(q[2] is not None for s in strips for q in s.queries) else []
    for place, (name, color) in enumerate(colors):
        figure.text(0.01 + place * 0.8 / (_CELL * columns), 1 - 0.42 / height, name, color=color, fontsize=8)
    figure.text(0.01, 1 - 0.2 / height, title, color="white", fontsize=9)
    save_figure(figure, Path(path))


def strips_of(part: SequenceBatch | WindowBatch | EpisodeBatch, network: nn.Module | None = None) -> list[Strip]:
    """Rows of the picture for a part of a batch.

    Args:
        part: on the network's device.
        network: whose answers are drawn, in evaluation mode; None for none.
    """
    if isinstance(part, WindowBatch):
        return _of_windows(part, network)
    return _of_sequences(part, network) if isinstance(part, SequenceBatch) else _of_episodes(part, network)


@torch.no_grad()  # not inference mode: the network keeps tables of distances, which training uses too
def carry(network: Propagator, batch: SequenceBatch) -> Tensor:
    """What the propagator makes of sequences with its own masks as the only guide, [B, T, H, W], 0 to 1."""
    features = network.encode(batch.support_images)
    anchor = network.remember(batch.support_images, features, batch.support_masks)
    locality = _OTHER_PATIENT_LOCALITY if batch.other_patient else 1.0
    prior = torch.zeros_like(batch.support_masks) if batch.other_patient else batch.support_masks
    memory, drawn = [anchor], []
    for t in range(batch.images.shape[1]):
        image = batch.images[:, t, None]
        here = network.encode(image)
        prior = network.decode(here, network.read(here, memory, locality), prior)[0].sigmoid()
        drawn.append(prior)
        memory = [anchor, network.remember(image, here, prior)]
    return torch.cat(drawn, 1)


class PartsPicture:
    """Draws some of the training's material with the answers of now, at the first and some later checkpoints.

    An `Observer`. The material is drawn once, before training begins: a source serves one thread at a time.

    Attributes:
        notes: why there is no picture, if so.
    """

    def __init__(
        self,
        path: Path,
        parts: Sequence[SequenceBatch | WindowBatch | EpisodeBatch],
        settings: TrainSettings,
        *,
        device: torch.device | None = None,
        every: int = 1000,
    ):
        """Nothing is drawn yet.

        Args:
            path: usually `parts.png` in the training's folder.
            parts: see `sample_parts`.
            settings: of the training.
            device: where to compute the answers.
            every: least steps between two pictures; the last step is drawn in any case.
        """
        self.notes = Notes()
        self._path, self._settings, self._every = path, settings, every
        self._parts = list(parts)
        self._device = device or torch.device("cpu")
        self._last: int | None = None

    def resumed(self, step: int) -> None:
        """The next checkpoint is drawn."""
        self._last = None

    def told(self, row: dict[str, float]) -> None:
        """Nothing to do before the next checkpoint."""

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """Draw, if it is time; what prevents it becomes a note."""
        due = self._last is None or step - self._last >= self._every or step == self._settings.iterations
        if not due or step == self._last:
            return
        self._last = step
        try:
            self._draw(step, weights)
        except FewShotError as error:
            self.notes.once("draw", str(error))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.notes.once("memory", f"The picture of step {step} was left out: the device's memory is full.")

    def close(self) -> None:
        """Nothing to do."""

    def _draw(self, step: int, weights: dict[str, Tensor]) -> None:
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            network = make_task(self._settings, "random").network
        assert isinstance(network, nn.Module)
        network.load_state_dict(weights)
        network.eval().to(self._device)
        strips = [strip for part in self._parts for strip in strips_of(part.to(self._device), network)]
        draw_strips(
            strips, self._path, f"{self._settings.network}: what it is trained on, and its answers at step {step}"
        )


def sample_parts(
    source: Source, settings: TrainSettings, number: int = _MOST_ROWS
) -> list[SequenceBatch | WindowBatch | EpisodeBatch]:
    """Some of a training's material, one sequence or episode of each of several steps, on the CPU.

    Ask for it before training begins.

    Args:
        source: of the training.
        settings: of the training.
        number: how many.
    """
    taken: list[Any] = []
    for place in range(number):
        # synthetic blocks are kept for some steps, which would show the same slices
        part: Any = source.part(place * settings.reuse, 0)
        taken.append(
            part.pieces(len(part) if isinstance(part, EpisodeBatch) else part.number)[0].to(torch.device("cpu"))
        )
    return taken


def _queries(
    batch: SequenceBatch | WindowBatch, place: int, answers: Tensor | None
) -> list[tuple[Tensor, Tensor | None, Tensor | None]]:
    """Image, truth and answer of the slices of one sequence, as many as there are columns."""
    queries = []
    for t in range(min(batch.images.shape[1], _MOST_COLUMNS - 1)):
        truth = batch.masks[place, t] if bool(batch.known[place, t]) else None
        queries.append((batch.images[place, t], truth, None if answers is None else answers[place, t]))
    return queries


def _of_sequences(batch: SequenceBatch, network: nn.Module | None) -> list[Strip]:
    answers = carry(network, batch) > 0.5 if isinstance(network, Propagator) else None
    strips = []
    for b in range(batch.number):
        title = "another patient" if batch.other_patient else "along the slices"
        strips.append(
            Strip(title, [(batch.support_images[b, 0], batch.support_masks[b, 0])], _queries(batch, b, answers))
        )
    return strips


@torch.no_grad()
def _of_windows(batch: WindowBatch, network: nn.Module | None) -> list[Strip]:
    answers = None
    if isinstance(network, Refiner):
        own = torch.ones_like(batch.own_prior)
        answers = torch.cat([logits for logits, _ in lead(network, batch, own)], 1) > 0
    strips = []
    for b in range(batch.number):
        supports = [(batch.anchor_image[b, 0], batch.anchor_mask[b, 0])]
        if bool(batch.start_distance[b] > 0):  # else the anchor itself is what is handed on first
            supports.append((batch.start_image[b, 0], batch.start_mask[b, 0]))
        strips.append(Strip("a window along the slices", supports, _queries(batch, b, answers)))
    return strips


@torch.inference_mode()
def _of_episodes(batch: EpisodeBatch, network: Any) -> list[Strip]:
    strips = []
    for episode in batch:
        answers: list[Any] = [None] * len(episode.query_masks)
        if network is not None:
            logits = network(episode.support_images, episode.support_masks, episode.query_images)
            answers = list(logits[:, 1] > logits[:, 0])
        supports = [(image[0], mask) for image, mask in zip(episode.support_images, episode.support_masks, strict=True)]
        given = zip(episode.query_images, episode.query_masks, answers, strict=True)
        strips.append(Strip("episode", supports, [(image[0], truth, answer) for image, truth, answer in given]))
    return strips


def _draw(axes: Any, image: Tensor, outlines: Sequence[tuple[Tensor | None, str]]) -> None:
    axes.imshow(image.cpu().float().numpy(), cmap="gray", vmin=_SHOWN[0], vmax=_SHOWN[1], interpolation="nearest")
    for mask, color in outlines:
        # a mask that fills the slice has no outline either
        if mask is not None and bool((mask > 0.5).any()) and not bool((mask > 0.5).all()):
            axes.contour(mask.cpu().float().numpy(), levels=[0.5], colors=[color], linewidths=1.1)


def _say(axes: Any, text: str) -> None:
    axes.text(0.03, 0.03, text, color=_TRUTH, fontsize=7, transform=axes.transAxes, bbox=_DARK)
