"""curves.png: drawn from the log, quickly, without pyplot, and no reason to end a training."""

import sys
import time
from unittest import mock

import numpy as np
import pytest
from matplotlib.image import imread

from FewShotSegmentLib.errors import InputError, OutputError
from FewShotSegmentLib.training.observe import CsvLog, CurvesPicture, draw_curves
from FewShotSegmentLib.training.observe import curves as module
from FewShotSegmentLib.training.observe.curves import running_mean, summary
from FewShotSegmentLib.training.observe.figures import new_figure


def _log(steps=400):
    rng = np.random.default_rng(0)
    step = np.arange(1.0, steps + 1)
    matching = np.where(rng.random(steps) < 0.25, 1.0, np.nan)
    return {
        "step": step,
        "loss": 2 / np.sqrt(step) + 0.1 * rng.random(steps),
        "few_shot_loss": matching,
        "dice": 1 - 1 / np.sqrt(step),
        "absent": 0.1 / step,
        "seconds": np.full(steps, 0.5),
        "waiting": np.full(steps, 0.05),
    }


VALIDATION = {"step": np.array([100.0, 400.0]), "whole": np.array([0.4, 0.6]), "own": np.array([0.6, 0.7])}


def test_running_mean_leaves_out_what_is_not_known():
    values = np.array([np.nan, 2.0, 4.0, np.nan, 6.0])
    assert running_mean(values, 2).tolist()[1:] == [2.0, 3.0, 4.0, 6.0]
    assert np.isnan(running_mean(values, 2)[0])


def test_summary_says_speed_and_waiting():
    assert summary(_log(), VALIDATION) == (
        "step 400, 2 steps/s, 10.0% of the time waiting for data, validation 0.600 / 0.700"
    )
    assert summary({}, {}) == ""


def test_each_number_is_drawn(tmp_path, monkeypatch):
    """Leaving one out changes the picture."""
    monkeypatch.setattr(module, "new_figure", lambda w, h, **k: new_figure(w, h, dpi=40, **k))  # small is fast
    pictures = set()
    for left_out in ("", "few_shot_loss", "dice", "absent", "waiting", "validation"):
        log = {name: values for name, values in _log().items() if name != left_out}
        draw_curves(log, {} if left_out == "validation" else VALIDATION, tmp_path / "c.png", "a training")
        pictures.add((tmp_path / "c.png").read_bytes())
    assert len(pictures) == 6


def test_the_same_log_gives_the_same_picture_and_it_shows_something(tmp_path):
    for name in ("a.png", "b.png"):
        draw_curves(_log(), VALIDATION, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert imread(tmp_path / "a.png").std() > 0.05
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "log", [{}, {"step": np.zeros(0), "loss": np.zeros(0)}, {"step": np.ones(1), "loss": np.zeros(1)}]
)
def test_hardly_any_step(tmp_path, log):
    draw_curves(log, {}, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_pyplot_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    draw_curves(_log(10), {}, tmp_path / "c.png")


def test_a_long_training_is_drawn_in_little_time(tmp_path):
    """100 000 steps; the time is that of the processor, which other programs do not stretch."""
    draw_curves(_log(100), VALIDATION, tmp_path / "c.png")  # imports and fonts
    start = time.process_time()
    draw_curves(_log(100_000), VALIDATION, tmp_path / "c.png")
    assert time.process_time() - start < 2.5


def test_without_matplotlib(tmp_path):
    with (
        mock.patch.dict(sys.modules, {"matplotlib.figure": None}),
        pytest.raises(InputError, match=r"fewshotsegment\[training\]"),
    ):
        draw_curves(_log(), {}, tmp_path / "c.png")


def test_a_picture_that_cannot_be_written_is_a_note_and_nothing_is_left(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    log = CsvLog(tmp_path / "log.csv")
    log.told({"step": 1.0, "loss": 1.0})
    picture = CurvesPicture(tmp_path / "c.png", log)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        draw_curves(_log(), {}, tmp_path / "d.png")
    picture.draw()
    picture.draw()
    assert len([note for note in picture.notes if "No space left" in note]) == 1
    assert not list(tmp_path.glob("*.png")) + list(tmp_path.glob(".fewshot*"))


def test_the_observer_draws_all_that_was_told(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "draw_curves", lambda log, *_: seen.append(log["step"].tolist()))
    log = CsvLog(tmp_path / "log.csv")
    picture = CurvesPicture(tmp_path / "c.png", log)
    log.told({"step": 1.0, "loss": 1.0})
    picture.checkpoint(1, {})
    log.told({"step": 2.0, "loss": 1.0})
    picture.close()
    assert seen == [[1.0], [1.0, 2.0]]


def test_drawing_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    log, drawn, clock = CsvLog(tmp_path / "log.csv"), [], [100.0]

    def slow():
        drawn.append(clock[0])
        clock[0] += 2.0

    picture = CurvesPicture(tmp_path / "c.png", log)
    monkeypatch.setattr(picture, "draw", slow)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    for _ in range(100):
        picture.checkpoint(1, {})
        clock[0] += 1.0
    picture.close()
    assert len(drawn) == 4  # at 100, 142 and 184, and at the end
