"""The training loop: resumed runs are the same runs, and whatever goes wrong leaves good weights."""

import math
import signal
import time

import pytest
import torch
from training_cases import TINY, TinyBatch, TinySource, TinyTask, Watch

from FewShotSegmentLib import DeviceError, InputError
from FewShotSegmentLib.training.optimiser import learning_rate
from FewShotSegmentLib.training.propagator_task import Losses
from FewShotSegmentLib.training.settings import preset
from FewShotSegmentLib.training.trainer import Trainer, waiting_share


def trainer(folder=None, settings=TINY, **options):
    return Trainer(TinyTask(), options.pop("source", TinySource(settings)), settings, folder, **options)


def curve(rows):
    return [(row["step"], row["loss"], row["rate"], row["norm"]) for row in rows]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("stops", [[5], [1, 2, 11]])
def test_a_resumed_training_is_the_same_training(tmp_path, optimiser, stops):
    settings = TINY.changed(optimiser=optimiser)
    whole = trainer(settings=settings).run()
    rows = []
    for stop in [*stops, None]:
        torch.manual_seed(99)  # what happens between the runs must not matter
        outcome = trainer(tmp_path, settings, checkpoint_every=4).run(until=stop)
        rows += outcome.rows
    assert curve(rows) == curve(whole.rows) and len(rows) == 12
    assert same(outcome.weights, whole.weights)


def test_it_learns():
    settings = TINY.changed(iterations=300, per_part=32)
    rows = trainer(settings=settings).run().rows
    assert sum(r["loss"] for r in rows[-20:]) < 0.4 * sum(r["loss"] for r in rows[:20])


def test_a_time_limit_stops_and_keeps(tmp_path):
    outcome = trainer(tmp_path).run(max_seconds=0.0)
    assert (outcome.why, outcome.step) == ("time", 0)
    assert (tmp_path / "step-00000000.ckpt").is_file()
    assert trainer(tmp_path).run().step == 12


def test_cancel_stops_before_the_next_step_and_keeps(tmp_path):
    watch = Watch()
    outcome = trainer(tmp_path, observers=[watch]).run(cancelled=lambda: len(watch.rows) == 3)
    assert (outcome.why, outcome.step) == ("cancelled", 3)
    later = trainer(tmp_path, observers=[watch]).run()
    assert later.step == 12 and watch.resumes == [3]
    assert [row["step"] for row in watch.rows] == list(range(1, 13))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["forward", "optimiser", "observer"])
def test_a_signal_ends_after_a_whole_step_wherever_it_comes(tmp_path, monkeypatch, number, where):
    calls = []

    def ring(*_):
        calls.append(1)
        if len(calls) == 4:
            signal.raise_signal(number)

    class Ringing(TinyTask):
        def forward(self, batch):
            if where == "forward":
                ring()
            return super().forward(batch)

    watch = Watch()
    if where == "observer":
        watch.told = ring
    training = Trainer(Ringing(), TinySource(), TINY, tmp_path, observers=[watch])
    if where == "optimiser":
        step = training._optimiser.step
        monkeypatch.setattr(training._optimiser, "step", lambda: (ring(), step()))
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    outcome = training.run()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert (outcome.why, outcome.step) == ("cancelled", 4)
    assert same(trainer(tmp_path).run().weights, trainer().run().weights)


def test_ctrl_c_twice_ends_at_once(tmp_path):
    class Twice(TinyTask):
        def forward(self, batch):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            return super().forward(batch)

    with pytest.raises(KeyboardInterrupt):
        Trainer(Twice(), TinySource(), TINY, tmp_path).run()


def test_the_state_of_random_numbers_is_resumed(tmp_path):
    class Dropping(TinyTask):
        def forward(self, batch):
            return super().forward(batch._replace(x=torch.nn.functional.dropout(batch.x, 0.3)))

    def run(folder, until=None):
        return Trainer(Dropping(), TinySource(), TINY, folder).run(until=until)

    whole = run(None)
    run(tmp_path, 5)
    torch.manual_seed(123)
    assert same(run(tmp_path).weights, whole.weights)


class Normalised(TinyTask):
    """With the statistics of batches, which a step that is not taken must not change."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))


def test_a_step_that_is_not_taken_leaves_statistics_as_they_were(tmp_path):
    settings = TINY.changed(average=0.0)
    good = Trainer(Normalised(), TinySource(settings), settings).run(until=6)
    spoiled = Trainer(Normalised(), TinySource(settings, spoiled=6), settings).run()
    assert spoiled.why == "diverged" and same(spoiled.weights, good.weights)

    class Small(Normalised):
        full = False

        def forward(self, batch):
            losses = super().forward(batch)
            if batch.number > 2 and not Small.full:
                Small.full = True
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return losses

    once = Trainer(Small(), TinySource(settings), settings).run(until=1)
    assert once.weights["1.num_batches_tracked"] == 2  # two pieces, and not the one that was given up


def test_pieces_count_by_what_they_know():
    class Weighted(TinyBatch):
        @property
        def weight(self):
            return float((self.y != 0).sum())

        def pieces(self, number):
            return [Weighted(*piece) for piece in super().pieces(number)]

        def to(self, device):
            return self

    class Masked(TinyTask):
        def forward(self, batch):
            known = (batch.y != 0).float()
            errors = (self.network(batch.x)[:, 0] - batch.y).square() * known
            return Losses(errors.sum() / known.sum().clamp_min(1), {"dice": errors.detach().mean()})

    class Source(TinySource):
        def part(self, step, part):
            batch = super().part(step, part)
            return Weighted(batch.x, batch.y * torch.tensor([1.0, 0.0, 0.0, 1.0]))

    rows = []
    for pieces in (1, 2, 4):
        training = Trainer(Masked(), Source(), TINY)
        training._gradients.pieces = pieces
        rows.append(training.run(until=1).rows[0])
    assert [row["loss"] for row in rows] == pytest.approx([rows[0]["loss"]] * 3, rel=1e-5)
    assert [row["norm"] for row in rows] == pytest.approx([rows[0]["norm"]] * 3, rel=1e-4)


def test_the_number_of_threads_is_left_alone():
    import threading

    def threads_of_a_new_thread():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return seen[0]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        trainer().run(until=2)
        assert threads_of_a_new_thread() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_dspnets_own_matrix_learns_at_the_published_rate():
    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.training.optimiser import build_optimiser, set_rate

    network = build("dspnet-published", "resnet18")
    optimiser = build_optimiser(network, preset("published"))
    set_rate(optimiser, 1e-3)
    slow = [group for group in optimiser.param_groups if group["lr"] == pytest.approx(1e-7)]
    ((matrix,),) = [group["params"] for group in slow]
    assert next(name for name, weight in network.named_parameters() if weight is matrix).endswith("cal")
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(network.parameters()))


def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(tmp_path):
    trainer(tmp_path, checkpoint_every=4).run(until=9)
    newest = tmp_path / "step-00000009.ckpt"
    data = bytearray(newest.read_bytes())
    data[-20] ^= 1
    newest.write_bytes(data)
    watch = Watch()
    outcome = trainer(tmp_path, observers=[watch]).run()
    assert watch.resumes == [8]
    assert any("step-00000009.ckpt is damaged" in note for note in outcome.notes)
    assert same(outcome.weights, trainer().run().weights)


def test_other_settings_are_refused_but_for_the_end(tmp_path):
    trainer(tmp_path).run(until=2)
    with pytest.raises(InputError, match="learning_rate"):
        trainer(tmp_path, TINY.changed(learning_rate=0.02)).run()
    outcome = trainer(tmp_path, TINY.changed(iterations=14)).run()
    assert outcome.step == 14 and any("12 steps and goes on to 14" in note for note in outcome.notes)


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch):
    from FewShotSegmentLib.training import checkpoint

    real, calls = checkpoint.Checkpoints.save, []

    def save(self, step, state):
        calls.append(step)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(self, step, state)

    monkeypatch.setattr(checkpoint.Checkpoints, "save", save)
    watch = Watch()
    said = []
    tell = lambda note: said.append((watch.rows[-1]["step"], note))  # noqa: E731
    outcome = trainer(tmp_path, checkpoint_every=4, observers=[watch]).run(until=11, tell=tell)
    assert said[0][0] == 8 and "No space left" in said[0][1]  # at once, not at the end
    assert watch.saved == [4, 8, 11]
    assert outcome.why == "done" and calls == [4, 8, 11]
    assert [n for n in outcome.notes if "step 8" in n and "No space left" in n and "from step 4" in n]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000004.ckpt", "step-00000011.ckpt"]


def test_a_loss_that_is_no_number_stops_and_the_good_weights_are_kept(tmp_path):
    source = TinySource(spoiled=6)
    outcome = trainer(tmp_path, source=source, checkpoint_every=4).run()
    assert (outcome.why, outcome.step) == ("diverged", 6)
    assert any("step 7" in note and "loss is not a number" in note for note in outcome.notes)
    assert same(outcome.weights, trainer().run(until=6).weights)
    assert not (tmp_path / "step-00000012.ckpt").exists()
    assert all(torch.isfinite(value).all() for value in outcome.weights.values())


def test_out_of_memory_is_met_with_smaller_pieces_of_the_same_batch(monkeypatch):
    class Small(TinyTask):
        def forward(self, batch):
            if batch.number > 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().forward(batch)

    outcome = Trainer(Small(), TinySource(), TINY).run(until=5)
    assert len([n for n in outcome.notes if "pieces" in n]) == 2  # 2, then 4
    whole = trainer().run(until=5)
    for a, b in zip(outcome.rows, whole.rows, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5) and a["norm"] == pytest.approx(b["norm"], rel=1e-4)


def test_memory_that_does_not_do_for_one_sequence_is_said():
    class Smaller(TinyTask):
        def forward(self, batch):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="one sequence at a time"):
        Trainer(Smaller(), TinySource(), TINY).run()


def test_other_errors_of_a_task_are_not_swallowed():
    class Broken(TinyTask):
        def forward(self, batch):
            raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        Trainer(Broken(), TinySource(), TINY).run()


def test_errors_of_a_source_reach_the_caller():
    class Broken(TinySource):
        def part(self, step, part):
            if step == 2:
                raise InputError("The file is gone.")
            return super().part(step, part)

    watch = Watch()
    with pytest.raises(InputError, match=r"^The file is gone\.$"):
        trainer(source=Broken(), observers=[watch]).run()
    assert len(watch.rows) == 2


def test_several_parts_are_one_batch():
    parts = trainer(settings=TINY.changed(parts=4, clip=0.0)).run(until=3)
    assert [row["slices"] for row in parts.rows] == [16.0] * 3
    source = TinySource(TINY.changed(parts=4))
    task = TinyTask()
    batches = [source.part(0, part) for part in range(4)]
    whole = torch.stack([task(batch).loss for batch in batches]).mean()
    assert parts.rows[0]["loss"] == pytest.approx(float(whole.detach()), rel=1e-5)


def test_the_gradient_is_clipped():
    free, clipped = (trainer(settings=TINY.changed(clip=clip, optimiser="sgd")).run(until=4) for clip in (0.0, 1e-3))
    assert not same(free.weights, clipped.weights)
    assert clipped.rows[0]["norm"] == pytest.approx(free.rows[0]["norm"])


def test_the_average_is_what_is_kept():
    plain, averaged = (trainer(settings=TINY.changed(average=share)).run() for share in (0.0, 0.9))
    assert curve(plain.rows) == curve(averaged.rows)  # it only watches
    assert not same(plain.weights, averaged.weights)


def test_data_are_made_ahead_and_waiting_is_told():
    class Slow(TinySource):
        def part(self, step, part):
            time.sleep(0.02)
            return super().part(step, part)

    slow, quick = (trainer(source=source).run() for source in (Slow(), TinySource()))
    assert waiting_share(slow.rows) > max(0.5, waiting_share(quick.rows))
    assert sum(row["waiting"] for row in slow.rows) <= sum(row["seconds"] for row in slow.rows)


def test_what_an_observer_is_told():
    watch = Watch()
    trainer(observers=[watch], checkpoint_every=5).run()
    assert [row["step"] for row in watch.rows] == list(range(1, 13)) and watch.saved == [5, 10, 12]
    assert {"loss", "rate", "norm", "seconds", "waiting", "slices", "dice"} <= watch.rows[0].keys()


def test_the_published_rate_falls_by_a_twentieth_every_thousand_steps():
    settings = preset("published")
    assert [learning_rate(s, settings) for s in (0, 999)] == [1e-3, 1e-3]
    assert learning_rate(1000, settings) == pytest.approx(0.95e-3)
    assert learning_rate(49_999, settings) == pytest.approx(1e-3 * 0.95**49)


def test_rates_of_the_other_schedules():
    hold = TINY.changed(schedule="hold", iterations=100, cooldown=20, warm_up=10, learning_rate=1.0)
    assert learning_rate(0, hold) == pytest.approx(0.1) and learning_rate(50, hold) == 1.0
    assert learning_rate(90, hold) == pytest.approx(0.5) and learning_rate(99, hold) == pytest.approx(0.05)
    assert learning_rate(50, hold.changed(iterations=200)) == 1.0  # the end may be moved while it holds
    cosine = hold.changed(schedule="cosine", warm_up=0)
    assert learning_rate(0, cosine) == pytest.approx(1.0)
    assert learning_rate(50, cosine) == pytest.approx(0.505)
    assert math.isclose(learning_rate(100, cosine), 0.01)
