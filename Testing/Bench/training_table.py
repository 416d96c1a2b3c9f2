"""What the bench of the training prints and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from accuracy import overall_mean, source_means
from checks import Check
from rich import box
from rich.console import Console
from rich.table import Table
from table import cell
from training_run import Trained
from training_score import sources
from transfer_accuracy import TransferRecord
from transfer_table import difference

MAX_WAITING = 0.10
COLORS = ("#1f5fa8", "#c2283d", "#5aa0e0", "#e8838f", "#4b8f3a", "#8a56a6")


def print_speed(console: Console, trained: Sequence[Trained]) -> None:
    """How fast each training was."""
    table = Table(
        title="TRAINING: speed", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("training")
    for name in ("steps", "iterations/s", "slices/s", "waiting for data", "peak memory", "on the accelerator"):
        table.add_column(name, justify="right")
    for one in trained:
        table.add_row(
            one.plan.title,
            str(one.steps),
            *(
                [f"{one.iterations_per_second:.3g}", f"{one.slices_per_second:.3g}", f"{one.waiting:.1%}"]
                if one.steps > 2
                else ["–"] * 3
            ),
            f"{one.gigabytes:.2f} GB",
            f"{one.device_gigabytes:.2f} GB" if one.device_gigabytes else "–",
        )
    console.print(table)
    for one in trained:
        console.print(
            f"{one.plan.title}: {one.ended[-1] if one.ended else 0:.0f} s on {one.data}; {one.device}", soft_wrap=True
        )
        for note in one.notes:
            console.print(f"  {note}", markup=False, soft_wrap=True)


def print_scores(
    console: Console, records: Sequence[TransferRecord], titles: Mapping[str, str], trained: Sequence[Trained]
) -> None:
    """A row for each network, a column for each source."""
    steps = {one.plan.key: str(one.steps) for one in trained}
    title = "TRAINING: the few-shot network alone, one annotated slice of another patient (the middle one)"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network")
    table.add_column("steps", justify="right")
    for name in (*sources(records), "mean over sources"):
        table.add_column(name, justify="right", no_wrap=True)
    for key, name in titles.items():
        means = source_means(list(records), "one", key)
        scores = (*means.values(), overall_mean(list(records), "one", key))
        table.add_row(name, steps.get(key, "0"), *(cell(score) for score in scores))
    console.print(table)
    console.print(
        "Dice over the whole query volume / over the structure's own slices. Each training had the same time on the "
        "same machine and images.",
        soft_wrap=True,
    )
    console.print(
        "The published recipe begins with weights from natural images (COCO), which are not fetched here: it starts "
        "from random weights in the first pair, and from the bundled weights' encoder in place of its ResNet-101 in "
        "the second.",
        soft_wrap=True,
    )


def speed_checks(trained: Sequence[Trained]) -> list[Check]:
    """Data loading must not starve the network."""
    name = f"preset fast waits for data less than {MAX_WAITING:.0%} of its time"
    fast = [one for one in trained if one.plan.preset == "fast" and one.steps > 2]
    if not fast:
        return [Check(None, name)]
    worst = max(fast, key=lambda one: one.waiting)
    return [Check(worst.waiting < MAX_WAITING, f"{name}: {worst.waiting:.1%} ({worst.plan.title}; {worst.device})")]


def print_differences(
    console: Console, records: Sequence[TransferRecord], keys: Sequence[tuple[str, str, str]]
) -> None:
    """Ours against the published recipe; `keys` are (start, ours, theirs). No check: short trainings vary."""
    for start, *both in keys:
        mine, theirs = (overall_mean(list(records), "one", key) for key in both)
        console.print(f"ours − published, {start}: {difference(mine, theirs)}", markup=False, soft_wrap=True)


def draw_losses(trained: Sequence[Trained], path: Path) -> None:
    """Losses over time, each as a share of its first ones: the recipes' losses are sums of different things."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from FewShotSegmentLib.training.observe.curves import running_mean

    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for one, color in zip(trained, COLORS, strict=False):
        if not one.steps:
            continue
        loss = np.array(one.loss)
        first = loss[: max(1, len(loss) // 20)].mean()
        axes.plot(one.ended, loss / first, color=color, alpha=0.15, linewidth=0.6)
        smooth = running_mean(loss / first, max(1, len(loss) // 20))
        axes.plot(one.ended, smooth, color=color, linewidth=1.6, label=f"{one.plan.title} ({one.steps} steps)")
    axes.set_yscale("log")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("loss / that of the first twentieth of the steps")
    axes.grid(color="#dddddd", linewidth=0.6, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Software": None})
