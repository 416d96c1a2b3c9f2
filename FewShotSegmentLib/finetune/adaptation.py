"""Fine-tuning itself: score, adapt without the slices that are scored, score again, and decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..engine import Engine
from ..errors import Cancelled, WeightsError
from ..networks import Refiner
from ..training.refiner_task import RefinerTask
from ..training.seeds import seed_of
from ..training.settings import TrainSettings
from ..training.trainer import Outcome, Trainer
from .cases import AnnotatedVolume
from .held_out import Place, choose_folds, leave_out
from .result import FinetuneResult, SliceScore
from .score import Scored, score_fold
from .settings import FinetuneSettings
from .source import AnnotatedWindows
from .steps import Report, Tally

_PROBE = 3
"""Steps that are timed; the first one is left out, since it fills caches."""

_ENDS_NOT_JUDGED = (
    "Only slices that hold the structure have judged: whether the adapted weights know where it ends is not known, so "
    "look at the ends; with complete drawings (--complete) the slices beyond judge too."
)


def adapt(
    engine: Engine,
    volumes: Sequence[AnnotatedVolume],
    settings: FinetuneSettings | None = None,
    progress: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    notes: Sequence[str] = (),
) -> FinetuneResult:
    """Adapt an engine's refiner to annotated volumes; the engine itself is not changed.

    The propagator stays as it is: it has the smaller say in a mask (`Settings.network_share`), and `transfer` finds
    organs with its encoder.

    Groups of annotated slices are left out in turn. Each is scored with the weights as they are, then with weights that
    were adapted to everything but this group. Only if the mean rises are the weights adapted to everything.

    Args:
        engine: with the weights to start from.
        volumes: see `annotate`.
        settings: time, steps, rate.
        progress: called with (units done, units in all, what is going on).
        cancelled: asked before every step and every slice.
        notes: to be handed on.

    Raises:
        InputError: there is too little to learn from.
        WeightsError: the engine has no refiner.
        DeviceError: out of memory.
        Cancelled: `cancelled` said yes, or Ctrl-C; nothing is kept.
    """
    return _Adaptation(engine, volumes, settings or FinetuneSettings(), Tally(progress), cancelled, notes).run()


class _Adaptation:
    """One fine-tuning on its way."""

    def __init__(
        self,
        engine: Engine,
        volumes: Sequence[AnnotatedVolume],
        settings: FinetuneSettings,
        tally: Tally,
        cancelled: Callable[[], bool] | None,
        notes: Sequence[str],
    ):
        if engine.refiner is None:
            raise WeightsError("There is no refiner, which is what is adapted; install FewShotSegment again.")
        self._engine, self._refiner = engine, engine.refiner
        self._volumes = volumes
        self._settings = settings
        self._tally = tally
        self._cancelled = cancelled
        self._notes = list(notes)
        if len({volume.modality for volume in volumes}) > 1:
            self._notes.append("Some volumes are CT and some MR; weights for each of them mostly learn more.")

    def run(self) -> FinetuneResult:
        """All of it; see `adapt`."""
        start = time.perf_counter()
        settings = self._settings
        folds = choose_folds(self._volumes, settings.held_out, settings.folds)
        self._tally.plan(len(folds) + 1, settings.steps or settings.full_steps)
        before = [self._score(self._refiner, fold, "scoring as it is") for fold in folds]
        scoring = time.perf_counter() - start
        steps = settings.steps or self._affordable_steps(len(folds) + 1, start, scoring)
        self._tally.plan(len(folds) + 1, steps)
        after = []
        for number, fold in enumerate(folds):
            doing = f"adapting without held-out slices ({number + 1} of {len(folds)})"
            outcome = self._train(leave_out(self._volumes, fold), steps, f"fold {number}", doing)
            refiner = _refiner(_rounded(outcome.weights), self._engine.device)
            after.append(self._score(refiner, fold, "scoring what was learned"))
        scores = self._table(before, after)
        means = [sum(values) / len(scores) for values in zip(*((s.before, s.after) for s in scores), strict=True)]
        adapted = self._final(steps) if means[1] > means[0] + settings.margin else None
        if all(
            self._volumes[place.volume].anchors[segment][place.index].any()
            for row in before
            for place, segment, _ in row
        ):
            self._notes.append(_ENDS_NOT_JUDGED)
        self._tally.finish()
        networks = None
        if adapted is not None:
            networks = {"propagator": _rounded(self._engine.network.state_dict()), "refiner": adapted}
        return FinetuneResult(
            better=adapted is not None,
            scores=tuple(scores),
            before=means[0],
            after=means[1],
            steps=steps,
            seconds=time.perf_counter() - start,
            device=str(self._engine.device),
            base=self._engine.weights,
            volumes=len({volume.identity for volume in self._volumes}),
            slices=sum(len(volume.annotated) for volume in self._volumes),
            settings=settings.to_json(),
            notes=tuple(dict.fromkeys(self._notes)),
            networks=networks,
        )

    def _final(self, steps: int) -> dict[str, Tensor] | None:
        """Weights adapted to everything; None where that came to nothing."""
        outcome = self._train(self._volumes, steps, "all", "adapting to all annotated slices")
        if outcome.why == "diverged":
            self._notes.append("The last training failed, so its weights are not used; try a lower --learning-rate.")
            return None
        return _rounded(outcome.weights)

    def _table(self, before: list[list[Scored]], after: list[list[Scored]]) -> list[SliceScore]:
        table = []
        for old, new in zip(before, after, strict=True):
            for (place, segment, was), (_, _, becomes) in zip(old, new, strict=True):
                volume = self._volumes[place.volume]
                table.append(SliceScore(volume.name, segment, volume.axis, place.index, was, becomes))
        return sorted(table, key=lambda s: (s.volume, s.segment, s.axis, s.index))

    def _score(self, refiner: Refiner, fold: frozenset[Place], doing: str) -> list[Scored]:
        self._tally.say(doing)
        engine = self._engine
        return score_fold(
            engine.network,
            refiner,
            engine.device,
            self._volumes,
            fold,
            engine.settings,
            self._cancelled,
            self._tally.slices,
        )

    def _train(self, volumes: Sequence[AnnotatedVolume], steps: int, run: str, doing: str) -> Outcome:
        """One training from the engine's refiner."""
        seed = seed_of(self._settings.seed, run)
        source = AnnotatedWindows(volumes, self._settings, self._engine.settings, seed)
        refiner = _refiner(self._refiner.state_dict(), self._engine.device).requires_grad_(True)
        trained = TrainSettings(
            network="refiner",
            data="volumes",
            iterations=steps,
            parts=self._settings.sequences,
            per_part=1,
            other_patient=0.0,
            learning_rate=self._settings.learning_rate,
            schedule="cosine",
            warm_up=min(5, steps // 4),
            precision="bfloat16" if is_bfloat16_fast(self._engine.device) else "float32",
            average=0.0,
            few_shot=0.0,
            seed=seed,
        )
        task = RefinerTask(refiner, self._engine.settings.moved_share, presence_at_ends=True)
        trainer = Trainer(task, source, trained, device=self._engine.device)
        done = 0

        def step(now: int, _total: int) -> None:
            nonlocal done
            self._tally.steps(now - done)
            done = now

        self._tally.say(doing)
        outcome = trainer.run(step, self._cancelled)
        if outcome.asked:
            raise Cancelled()
        self._notes += outcome.notes
        self._tally.steps(steps - done)  # of a training that ended before
        return outcome

    def _affordable_steps(self, trainings: int, start: float, scoring: float) -> int:
        """Steps of each training that fit into the time, from how long some take."""
        outcome = self._train(self._volumes, _PROBE, "probe", "measuring how long a step takes")
        rows = outcome.rows[1:] or outcome.rows
        if not rows:
            return self._settings.least_steps
        each = sum(row["seconds"] for row in rows) / len(rows)
        # the slices are scored again after
        left = self._settings.minutes * 60 - (time.perf_counter() - start) - scoring
        steps = int(left / (each * trainings))
        if steps < self._settings.least_steps:
            self._notes.append(
                f"A step takes {each:.1f} s here, so {self._settings.least_steps} steps of each training take longer "
                f"than the {self._settings.minutes:g} minutes asked for; more time would let it learn more."
            )
        return max(self._settings.least_steps, min(self._settings.full_steps, steps))


def is_bfloat16_fast(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; a processor without them is several times slower with it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(ask()) for ask in asked if ask is not None)


def _rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As they are stored, so that what is scored is what will be used."""
    return {name: value.detach().cpu().half() for name, value in state.items()}


def _refiner(state: dict[str, Tensor], device: torch.device) -> Refiner:
    """A refiner of its own with these weights, as the engine has it."""
    with torch.random.fork_rng():  # its first, random weights are not to be seen in the caller's random numbers
        refiner = Refiner()
    refiner.load_state_dict({name: value.float() for name, value in state.items()})
    refiner.eval().requires_grad_(False).to(device)
    refiner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return refiner
