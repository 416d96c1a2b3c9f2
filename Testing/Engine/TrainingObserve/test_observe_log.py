"""log.csv: one row a step, whatever the row has, whatever ended the run before."""

import errno
import math
from pathlib import Path

import numpy as np
import pytest

from FewShotSegmentLib.training.observe import CsvLog, CsvTable, read_log
from FewShotSegmentLib.training.observe.log import columns_of
from FewShotSegmentLib.training.settings import PRESETS


def _row(step, **more):
    return {"step": float(step), "loss": 1 / step, **more}


def _told(path, rows, **given):
    log = CsvLog(path, **given)
    for row in rows:
        log.told(row)
    log.close()
    return log


def test_rows_come_back_bit_for_bit(tmp_path):
    _told(tmp_path / "log.csv", [_row(step, dice=math.pi * step) for step in range(1, 8)])
    log = read_log(tmp_path / "log.csv")
    assert log["step"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert log["loss"].tolist() == [1 / step for step in range(1, 8)]
    assert log["dice"].tolist() == [math.pi * step for step in range(1, 8)]


def test_numbers_that_a_step_does_not_have_are_empty_cells(tmp_path):
    path = tmp_path / "log.csv"
    _told(
        path,
        [_row(1, few_shot_loss=0.5), _row(2), _row(3, dice=math.nan)],
        columns=("step", "loss", "few_shot_loss", "dice"),
    )
    lines = path.read_text().splitlines()
    assert lines[0] == "step,loss,few_shot_loss,dice"
    assert lines[2] == "2,0.5,,"
    assert np.isnan(read_log(path)["dice"]).all()


def test_a_new_number_becomes_the_last_column_and_rows_stay(tmp_path):
    path = tmp_path / "log.csv"
    _told(path, [_row(1)], columns=("step", "loss"))
    _told(path, [_row(2, odd=7.0)], columns=("step", "loss"))
    assert path.read_text().splitlines() == ["step,loss,odd", "1,1,", "2,0.5,7"]


def test_columns_are_the_same_for_all_steps_of_a_kind_of_training():
    assert columns_of(PRESETS["fast"]) == (
        "step", "loss", "rate", "norm", "seconds", "waiting", "slices", "dice", "mask_loss", "absent", "few_shot_loss",
    )  # fmt: skip
    assert columns_of(PRESETS["published"])[-2:] == ("query_loss", "alignment_loss")


def test_resuming_removes_later_rows_and_goes_on(tmp_path):
    path = tmp_path / "log.csv"
    _told(path, [_row(step) for step in range(1, 10)])
    log = CsvLog(path)
    log.resumed(4)
    log.told(_row(5, loss=9.0) | {"loss": 9.0})
    log.close()
    found = read_log(path)
    assert found["step"].tolist() == [1, 2, 3, 4, 5]
    assert found["loss"][-1] == 9.0
    assert path.read_text().count("step") == 1


def test_a_training_that_begins_again_without_a_checkpoint_replaces_its_rows(tmp_path):
    path = tmp_path / "log.csv"
    _told(path, [_row(step) for step in range(1, 10)])
    _told(path, [{"step": 1.0, "loss": 8.0}, {"step": 2.0, "loss": 8.0}])
    assert read_log(path)["step"].tolist() == [1, 2]
    assert read_log(path)["loss"].tolist() == [8, 8]


@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_line_that_was_cut_is_removed(tmp_path, cut):
    path = tmp_path / "log.csv"
    _told(path, [_row(step) for step in range(1, 4)])
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_log(path)["step"].tolist() == [1, 2]
    _told(path, [_row(3), _row(4)])
    assert read_log(path)["step"].tolist() == [1, 2, 3, 4]
    assert read_log(path)["loss"].tolist() == [1, 0.5, 1 / 3, 0.25]


def test_damaged_lines_are_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,loss\n1,0.5\n2,\xff\x00\n3,abc\n4\n5,0.1\n")
    assert read_log(path)["step"].tolist() == [1, 5]


def test_no_file_is_no_rows(tmp_path):
    assert read_log(tmp_path / "log.csv") == {}


def test_a_foreign_file_is_kept_beside(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("my,own,table\n1,2,3\n")
    _told(path, [_row(1)])
    assert (tmp_path / "log.csv.old").read_text() == "my,own,table\n1,2,3\n"
    assert read_log(path)["step"].tolist() == [1]


def test_a_full_disk_gives_one_note_and_rows_follow_when_there_is_room(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    table = CsvTable(path, ("step", "loss"))
    table.append(_row(1))
    real = Path.open

    class Full:
        """Takes half of what it is given, as a disk does that fills up."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", **k: Full(real(self, mode, **k)) if "+" in mode else real(self, mode, **k)
    )
    table.append(_row(2))
    table.append(_row(3))
    assert len(table.notes) == 1
    assert "No space left" in table.notes[0]
    monkeypatch.undo()
    table.append(_row(4))
    assert path.read_text() == "step,loss\n1,1\n2,0.5\n3,0.3333333333333333\n4,0.25\n"


def test_rows_are_on_disk_after_a_checkpoint(tmp_path):
    log = CsvLog(tmp_path / "log.csv")
    log.told(_row(1))
    log.checkpoint(1, {})
    assert read_log(tmp_path / "log.csv")["step"].tolist() == [1]


def test_both_ways_of_reading_agree(tmp_path):
    """A whole file is read by numpy, a damaged one cell by cell."""
    path = tmp_path / "log.csv"
    rows = [_row(step, few_shot_loss=math.pi * step if step % 3 else math.nan, dice=math.nan) for step in range(1, 50)]
    _told(path, rows, columns=("step", "few_shot_loss", "dice", "loss", "absent"))
    whole = read_log(path)
    path.write_bytes(path.read_bytes() + b"50,")
    damaged = read_log(path)
    assert whole.keys() == damaged.keys()
    assert all(np.array_equal(whole[name], damaged[name], equal_nan=True) for name in whole)
    assert np.isnan(whole["few_shot_loss"]).sum() == 16
