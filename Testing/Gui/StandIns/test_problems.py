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
    import time
    from types import SimpleNamespace

    slow = SimpleNamespace(write=lambda: time.sleep(0.15))
    with watchdog.step("ours"):
        slow.write()
    assert watchdog.longest > 0.1
    assert "ours" in watchdog.report()
    watchdog.gaps.clear()
    with watchdog.excused(slow, "write") as seconds, watchdog.step("Slicer's"):
        slow.write()
    assert len(seconds) == 1
    assert watchdog.longest < 0.1
