"""One training for a given time, in a process of its own, because a peak of memory is that of a whole process.

training_run.py PLAN.json trains as the plan says, leaves weights and figures in its folder and prints nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and for how long.

    Attributes:
        key: in the JSON, and the name of the folder.
        title: in the tables.
        preset: of `fewshotsegment pretrain`.
        start: "random" or "bundled".
        encoder: instead of the preset's; None for its own.
        seconds: of training; reading the images is not counted.
        volumes: images without labels; none for synthetic anatomies alone.
        device: "auto", "cpu" or "cuda".
        size: of slices instead of the preset's; None for its own.
    """

    key: str
    title: str
    preset: str
    start: str
    encoder: str | None
    seconds: float
    volumes: tuple[str, ...]
    device: str = "auto"
    size: int | None = None


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        plan: what was asked for.
        steps: done.
        seconds: of all steps but the first.
        slices: that passed through the network in these.
        waiting: share of these seconds spent waiting for data, 0 to 1.
        gigabytes: peak of the process's memory, 10⁹ bytes.
        device_gigabytes: peak on the accelerator; 0 on a CPU.
        device: where it was trained.
        data: what it was trained on, in words.
        loss: of each step.
        ended: after so many seconds in all, from the start of each step.
        notes: what had to be said.
    """

    plan: Plan
    steps: int
    seconds: float
    slices: float
    waiting: float
    gigabytes: float
    device_gigabytes: float
    device: str
    data: str
    loss: list[float]
    ended: list[float]
    notes: list[str]

    @property
    def iterations_per_second(self) -> float:
        return (self.steps - 1) / self.seconds if self.seconds else 0.0

    @property
    def slices_per_second(self) -> float:
        return self.slices / self.seconds if self.seconds else 0.0


def weights_file(folder: Path, plan: Plan) -> Path:
    """Where the trained weights are left."""
    return folder / plan.key / "network.safetensors"


def train(folder: Path, plan: Plan, tell: Callable[[str], None] = lambda text: None) -> Trained:
    """Run this file in a process of its own."""
    own = folder / plan.key
    own.mkdir(parents=True, exist_ok=True)
    (own / "plan.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
    tell(f"{plan.title}, {plan.seconds:.0f} s")
    subprocess.run([sys.executable, str(Path(__file__).resolve()), str(own / "plan.json")], check=True)
    return read_trained(own / "trained.json")


def read_trained(path: Path) -> Trained:
    """Figures that a training has left."""
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    plan = values.pop("plan")
    plan["volumes"] = tuple(plan["volumes"])
    return Trained(Plan(**plan), **values)


def main(plan: Plan, folder: Path) -> Trained:
    """Read, train, write."""
    sys.path.insert(0, str(ROOT))
    import torch
    from memory import peak_gigabytes
    from safetensors.torch import save_file

    from FewShotSegmentLib.allocator import keep_freed_memory
    from FewShotSegmentLib.devices import resolve_device
    from FewShotSegmentLib.training.networks import make_task
    from FewShotSegmentLib.training.settings import preset
    from FewShotSegmentLib.training.sources import make_source
    from FewShotSegmentLib.training.trainer import Trainer, waiting_share

    keep_freed_memory()
    settings = preset(plan.preset).changed(encoder=plan.encoder, size=plan.size, iterations=10**7)
    if not plan.volumes:
        settings = settings.changed(data="synthetic")
    device = resolve_device(plan.device)
    volumes, notes = _read(plan, settings, folder.parent / "superpixels")
    task = make_task(settings, plan.start)
    trainer = Trainer(task, make_source(settings, volumes, device), settings, device=device)
    start = time.perf_counter()
    outcome = trainer.run(max_seconds=plan.seconds)
    took = time.perf_counter() - start
    save_file({name: value.contiguous() for name, value in outcome.weights.items()}, weights_file(folder.parent, plan))
    rows = outcome.rows
    ended, so_far = [], 0.0
    for row in rows:
        so_far += row["seconds"]
        ended.append(round(so_far, 3))
    said = {"synthetic": "synthetic anatomies", "volumes": f"{len(volumes)} volumes"}
    return Trained(
        plan,
        len(rows),
        sum(row["seconds"] for row in rows[1:]),
        sum(row["slices"] for row in rows[1:]),
        waiting_share(rows),
        peak_gigabytes(),
        torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0,
        f"{device.type}, {torch.get_num_threads()} threads",
        said.get(settings.data, f"synthetic anatomies and {len(volumes)} volumes"),
        [row["loss"] for row in rows],
        ended,
        [*notes, *outcome.notes, *([] if outcome.why == "time" else [f"ended: {outcome.why} after {took:.0f} s"])],
    )


def _read(plan: Plan, settings: Any, cache: Path) -> tuple[list[Any], list[str]]:
    if settings.data == "synthetic":
        return [], []
    from FewShotSegmentLib import Settings
    from FewShotSegmentLib.episodes import read_training_volumes
    from FewShotSegmentLib.superpixels import SuperpixelSettings

    # as `fewshotsegment pretrain`: published episodes have 2D superpixels, sequences need to know where things end
    flat = settings.network != "propagator" and settings.episodes == "published"
    wanted = SuperpixelSettings(dimensions=2 if flat else 3)
    data = read_training_volumes(plan.volumes, Settings(long_side=settings.size), wanted, cache)
    return data.volumes, [note for note in data.notes if "left out" in note]


if __name__ == "__main__":
    given = Path(sys.argv[1])
    values = json.loads(given.read_text("utf-8"))
    values["volumes"] = tuple(values["volumes"])
    result = main(Plan(**values), given.parent)
    (given.parent / "trained.json").write_text(json.dumps(asdict(result)), encoding="utf-8")
