"""What the engine costs: time beside the bare network, a second segment, a correction, memory, and repeatability."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

import correction
import memory
import numpy as np
import tubes

SLICES, SIZE = 40, 256
ROUNDS = 5
MEMORY_RUNS = ((150, 512, 1), (300, 512, 1), (300, 512, 3))
SPACING = (3.0, 1.0, 1.0)


@dataclass(frozen=True)
class Cost:
    """Seconds are medians over rounds; ratios are medians of the ratios of each round, so that a slow spell of the
    machine, which slows all parts of a round, does not count."""

    bare_seconds: float
    engine_seconds: float
    two_segments_seconds: float
    overhead: float
    second_segment: float
    repeats: bool
    filled: int
    slices: int
    rounds: int
    threads: int
    correction: correction.Correction
    memory: tuple[memory.Peak, ...]

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"{SIZE} × {SIZE} × {self.slices}, 1 anchor, {self.threads} threads, medians of {self.rounds} rounds",
            f"bare network calls {self.bare_seconds:.2f} s",
            f"engine {self.engine_seconds:.2f} s: {self.engine_seconds / self.slices:.3f} s a slice",
            f"engine, two segments {self.two_segments_seconds:.2f} s",
            self.correction.line,
            f"mask found on {self.filled} of {self.slices} slices",
            *(peak.line for peak in self.memory),
        ]

    def as_dict(self) -> dict:
        """For the JSON."""
        parts = {"correction": self.correction._asdict(), "memory": [peak._asdict() for peak in self.memory]}
        return asdict(self) | parts


def measure(quick: bool, progress: Callable[[str], None] = lambda text: None) -> Cost:
    """All costs; quick: three rounds and no memory."""
    import torch
    from engine import load_without_stops

    engine = load_without_stops()
    volume, masks = tubes.make(SLICES, SIZE)
    # the second segment is part of the first, so that both are seen through one window and share its features
    lower = masks[0] & (np.arange(SIZE)[:, None] >= np.argwhere(masks[0])[:, 0].mean())
    lower |= masks[0] & (np.arange(SIZE)[:, None] < np.argwhere(masks[0])[:, 0].min() + 3)
    anchors = [{SLICES // 2: mask} for mask in (masks[0], lower)]
    pair = dict(zip(("first", "second"), anchors, strict=True))
    bare = bare_calls(engine, volume, masks[0])

    def one_segment():
        return engine.propagate(volume, anchors[0], spacing=SPACING, modality="ct")

    def two_segments():
        return engine.propagate_segments(volume, pair, spacing=SPACING, modality="ct")

    progress("warming up")
    result = one_segment()
    bare()
    rounds = 3 if quick else ROUNDS
    times = []
    for number in range(rounds):
        progress(f"time, round {number + 1} of {rounds}")
        times.append([_seconds(call) for call in (bare, one_segment, two_segments)])
    corrected = correction.measure(engine, rounds, progress)
    progress("repeating")
    again = load_without_stops().propagate(volume, anchors[0], spacing=SPACING, modality="ct")
    repeats = len({fingerprint(r) for r in (result, one_segment(), again)}) == 1
    peaks = []
    for run in () if quick else MEMORY_RUNS:
        progress(f"memory, {run[0]} slices, {run[2]} anchors")
        peaks.append(memory.measure(*run))
    columns = list(zip(*times, strict=True))
    return Cost(
        *(median(column) for column in columns),
        overhead=median(one / base for base, one, _ in times),
        second_segment=median((two - one) / one for _, one, two in times),
        repeats=repeats,
        slices=SLICES,
        filled=int(result.mask.any(axis=(1, 2)).sum()),
        rounds=rounds,
        threads=torch.get_num_threads(),
        correction=corrected,
        memory=tuple(peaks),
    )


def bare_calls(engine, volume: np.ndarray, mask: np.ndarray) -> Callable[[], None]:
    """The calls that one segment needs, with nothing around them; windows, images and mask are made ready here.

    Each slice is registered with the one before and encoded; each but the anchor is read, decoded, refined and
    remembered once, with the anchor and one slice before it in memory as in the engine's settings.
    """
    import torch
    import torch.nn.functional as F

    from FewShotSegmentLib.motion import register, warp
    from FewShotSegmentLib.networks.refiner import Moved
    from FewShotSegmentLib.preprocessing import WindowedVolume, box_of_mask, normalise, window_around

    network, refiner, settings = engine.network, engine.refiner, engine.settings
    grid = normalise(volume, SPACING[1:], "ct", settings, across=SPACING[0], finest=True)
    window = window_around(box_of_mask(mask, grid.size), grid.size, settings)
    view = WindowedVolume(grid, window, settings.window_size)
    images = [view.image(z, engine.device).contiguous(memory_format=torch.channels_last) for z in range(len(volume))]
    side = settings.refiner_size
    small = [F.interpolate(image, size=(side, side), mode="bilinear", antialias=True) for image in images]
    support = len(images) // 2
    given = view.mask_to_grid(mask, engine.device)
    number = torch.ones(1)

    @torch.inference_mode()
    def calls() -> None:
        features = network.encode(images[support])
        anchor = network.remember(images[support], features, given)
        for places in (range(support + 1, len(images)), range(support - 1, -1, -1)):
            prior, recent = given, []
            for start in range(0, len(places), settings.registered_ahead):
                ahead = places[start : start + settings.registered_ahead]
                chain = F.avg_pool2d(
                    torch.cat([small[z - places.step] for z in ahead[:1]] + [small[z] for z in ahead]), 2
                )
                register(chain[:-1], chain[1:])
                for z in ahead:
                    features = network.encode(images[z])
                    logits, _ = network.decode(features, network.read(features, [anchor, *recent]), prior)
                    prior = logits.sigmoid()
                    if refiner is not None:
                        seen = F.interpolate(prior, size=(side, side), mode="bilinear", antialias=True)
                        seen = warp(seen, torch.zeros(1, 2, side, side))
                        refiner(Moved(small[z], small[z], small[support], seen, seen, number, number, number))
                    recent = [network.remember(images[z], features, prior), *recent][: settings.recent_slices]

    return calls


def fingerprint(result) -> str:
    """Digest of the mask's and the probability's bytes."""
    digest = hashlib.sha256(np.ascontiguousarray(result.mask).tobytes())
    digest.update(np.ascontiguousarray(result.probability).tobytes())
    return digest.hexdigest()


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
