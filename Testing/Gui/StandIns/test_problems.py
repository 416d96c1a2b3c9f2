"""Exceptions, errors, dialogs, shortcuts and blocked event loops do not pass unnoticed."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def collected(application):
    from problems import Problems
    from standins.dialogs import dialogs

    with Problems(dialogs) as collected:
        yield collected


def test_exceptions_in_slots_are_noticed(collected):
    import qt

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in collected.all()[0]


def test_exceptions_in_observers_are_noticed(collected):
    import slicer

    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
    slicer.mrmlScene.Modified()
    slicer.mrmlScene.RemoveObserver(tag)
    assert "ZeroDivisionError" in collected.all()[0]


def test_logged_errors_are_noticed_unless_expected(collected):
    collected.expect_error("that goes wrong")
    logging.error("all that goes wrong")
    assert collected.all() == []
    logging.error("another")
    assert collected.all() == ["logged: another"]


def test_unexpected_and_missing_dialogs_are_noticed(collected):
    import slicer

    assert slicer.util.confirmYesNoDisplay("Delete all?") is False
    collected.dialogs.expect("error")
    said = collected.all()
    assert len(said) == 2
    assert "Delete all?" in said[0]
    assert "no error" in said[1]


@pytest.mark.parametrize(
    ("answer", "call", "expected"),
    [
        (True, lambda util, qt: util.confirmOkCancelDisplay("?"), True),
        (False, lambda util, qt: util.confirmOkCancelDisplay("?"), False),
        (True, lambda util, qt: util.confirmRetryCloseDisplay("?"), True),
        (True, lambda util, qt: qt.QMessageBox.question(None, "", "?"), 16384),
        (False, lambda util, qt: qt.QMessageBox.question(None, "", "?"), 65536),
        ("/a/b.nrrd", lambda util, qt: qt.QFileDialog.getOpenFileName(None, "Open"), "/a/b.nrrd"),
        (False, lambda util, qt: qt.QFileDialog.getExistingDirectory(None, "Folder"), ""),
        ("liver", lambda util, qt: qt.QInputDialog.getText(None, "Name", "Name:"), "liver"),
    ],
)
def test_answers(collected, answer, call, expected):
    import qt
    import slicer

    collected.dialogs.answer(answer)
    assert call(slicer.util, qt) == expected
    assert collected.all() == []


def test_button_with_its_own_text_is_pressed(collected):
    import qt

    box = qt.QMessageBox()
    install = box.addButton("Install", qt.QMessageBox.AcceptRole)
    box.addButton("Later", qt.QMessageBox.RejectRole)
    collected.dialogs.answer("Install")
    box.exec_()
    assert box.clickedButton() is install


def test_shortcuts_are_found_by_their_keys(application, scene):
    import qt
    import slicer

    calls = []
    shortcut = qt.QShortcut(slicer.util.mainWindow())
    shortcut.setKey(qt.QKeySequence("Ctrl+G"))
    shortcut.connect("activated()", lambda: calls.append(1))
    application.press_key("Ctrl+G")
    assert calls == [1]
    shortcut.enabled = False
    assert "Ctrl+G" not in application.shortcuts()
    shortcut.delete()


def test_watchdog_sees_what_blocks(watchdog, monkeypatch):
    from types import SimpleNamespace

    clock = [watchdog._last]
    monkeypatch.setattr("watchdog.time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def write():
        clock[0] += 0.15

    slow = SimpleNamespace(write=write)
    with watchdog.step("ours"):
        slow.write()
    assert watchdog.longest == pytest.approx(0.145)  # less the timer's interval
    assert "145.0 ms  ours" in watchdog.report()
    watchdog.gaps.clear()
    with watchdog.excused(slow, "write") as seconds, watchdog.step("Slicer's"):
        slow.write()
    assert seconds == [pytest.approx(0.15)]
    assert watchdog.longest == 0


def test_effort_counts_voxels_memory_and_calls(load, watchdog):
    from types import SimpleNamespace

    import numpy as np
    from effort import Effort

    load()
    from FewShotSegmentModule.scene import grids, segments

    labels = np.zeros((20, 30, 40), np.uint8)
    labels[5:8, 10:20, 10:30] = 1
    image = grids.orientedImage(labels, (0, 0, 0), np.eye(4))
    slicers = SimpleNamespace(work=lambda: np.ones(10_000_000, np.uint8))
    effort = Effort(watchdog)
    with effort.counted(), effort.excused(slicers, "work"):
        with effort.step("first"):
            first = segments.labelBox(image, 1)
        with effort.step("again"):
            segments.labelBox(image, 1)
            slicers.work()
        with effort.step("copies"):
            kept = np.concatenate([segments.imageArray(image).ravel()] * 50)
    assert segments.imageArray is grids.imageArray
    assert type(grids.imageArray(image)) is np.ndarray
    assert first[0].shape == (3, 10, 20)
    counts = {step: times[0] for step, times in effort.counts.items()}
    box, rows = 3 * 10 * 20 * 3 + 2 * 10 * 20, 3 * 30 * 40 + 2 * 30 * 40
    # where the labels are, once; within that, which label it is and whether there is a smaller box
    assert counts["first"].voxels == pytest.approx(labels.size + rows + box, abs=500)
    assert counts["again"].voxels == pytest.approx(box, abs=200)
    assert 0 < counts["again"].calls < counts["first"].calls < 20
    assert counts["again"].bytes < 1_000_000
    assert counts["copies"].bytes >= kept.nbytes == 50 * labels.size
