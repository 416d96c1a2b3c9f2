"""The support library: press every button, also with the answers No and Cancel."""

from __future__ import annotations

import numpy as np
import pytest
from panel_bench import Bench


@pytest.fixture
def bench(application, scene):
    with Bench(application) as made:
        yield made


@pytest.fixture
def panel(bench):
    from FewShotSegmentModule.panels.libraryPanel import LibraryPanel

    bench.annotate(("Liver", "Spleen"))
    made = bench.open(LibraryPanel)
    bench.wait()
    return made


def texts(panel):
    return [panel.ui.libraryList.item(row).text() for row in range(panel.ui.libraryList.count)]


def add(bench, panel, press):
    press(panel.ui.addSegmentButton)
    bench.wait()


def test_nothing_is_asked_while_the_section_is_closed(bench):
    from FewShotSegmentModule.panels.libraryPanel import LibraryPanel

    panel = bench.open(LibraryPanel, collapsed=True)
    assert not bench.fake.transports
    panel.section.collapsed = False
    bench.wait()
    assert [request.action for request in bench.requests("library")] == ["list"]


def test_an_empty_library_says_what_to_do(panel):
    assert "empty" in panel.ui.libraryLabel.text
    assert "Nothing is looked for" in panel.ui.supportsLabel.text
    assert not panel.ui.removeEntriesButton.enabled and not panel.ui.exportLibraryButton.enabled


def test_the_selected_segment_is_added_and_ticked(bench, panel, press):
    add(bench, panel, press)
    assert texts(panel) == ["Liver\nCT · 2 slices · 2026-01-02"]
    assert panel.choice.names == ["Liver"] and len(panel.choice.entries) == 1
    assert "Liver" in panel.ui.supportsLabel.text
    (request,) = [request for request in bench.requests("library") if request.action == "add"]
    assert [segment.name for segment in request.case.segments] == ["Liver"]
    assert request.case.segments[0].slices == [5, 6]


def test_entries_have_pictures(bench, panel, press):
    add(bench, panel, press)
    icon = panel.ui.libraryList.item(0).icon()
    assert not icon.isNull()
    assert icon.pixmap(56, 56).toImage().pixelColor(10, 28) != icon.pixmap(56, 56).toImage().pixelColor(50, 28)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.float32), None], ids=["gray", "float", "no file"]
)
def test_what_is_no_picture_is_left_out(panel, tmp_path, pixels):
    from FewShotSegmentModule.panels.libraryPanel import thumbnail

    path = tmp_path / "picture.npy"
    if pixels is not None:
        np.save(path, pixels)
    assert thumbnail(str(path)) is None
    assert thumbnail("") is None
    assert not list(tmp_path.glob("*.ppm"))


def test_without_a_segment_nothing_can_be_added(bench):
    from FewShotSegmentModule.panels.libraryPanel import LibraryPanel

    panel = bench.open(LibraryPanel)
    bench.wait()
    assert not panel.ui.addSegmentButton.enabled
    assert "Annotate" in panel.ui.addSegmentButton.toolTip


def test_unticked_entries_are_not_looked_for(bench, panel, press):
    add(bench, panel, press)
    entry = panel.choice.entries[0]
    panel.tick(entry, False)
    assert panel.choice.isEmpty() and not panel.ui.removeEntriesButton.enabled
    press(panel.ui.refreshLibraryButton)
    bench.wait()
    assert panel.choice.isEmpty(), "what was not ticked is not ticked by reading again"
    panel.tick(entry)
    assert panel.choice.entries == [entry]


def test_remove_asks_and_no_keeps(bench, panel, press, dialogs):
    add(bench, panel, press)
    dialogs.answer(False, containing="Liver")
    press(panel.ui.removeEntriesButton)
    bench.wait()
    assert len(texts(panel)) == 1
    dialogs.answer(True, containing="Liver")
    press(panel.ui.removeEntriesButton)
    bench.wait()
    assert texts(panel) == [] and panel.choice.isEmpty()


def test_export_and_import(bench, panel, press, dialogs, tmp_path):
    add(bench, panel, press)
    path = tmp_path / "mine.fsslib"
    dialogs.answer(str(path))
    press(panel.ui.exportLibraryButton)
    bench.wait()
    assert path.is_file() and "Exported" in panel.ui.libraryLabel.text
    dialogs.answer(str(path))
    press(panel.ui.importLibraryButton)
    bench.wait()
    assert len(texts(panel)) == 2 and "Imported: 1" in panel.ui.libraryLabel.text


def test_export_never_overwrites(bench, panel, press, dialogs, tmp_path):
    add(bench, panel, press)
    path = tmp_path / "mine.fsslib"
    path.write_text("precious")
    dialogs.answer(str(path))
    press(panel.ui.exportLibraryButton)
    bench.wait()
    assert path.read_text() == "precious" and "not overwritten" in panel.ui.libraryLabel.text


def test_a_cancelled_file_dialog_does_nothing(bench, panel, press, dialogs):
    add(bench, panel, press)
    before = len(bench.fake.requests)
    for button in (panel.ui.exportLibraryButton, panel.ui.importLibraryButton):
        dialogs.answer(False)
        press(button)
        bench.wait()
    assert len(bench.fake.requests) == before


def test_a_failure_is_one_sentence(bench, panel, press, dialogs):
    dialogs.answer("/nowhere/at/all.fsslib")
    press(panel.ui.importLibraryButton)
    bench.wait()
    assert "There is no library" in panel.ui.libraryLabel.text
    assert panel.ui.importLibraryButton.enabled


def test_the_scenes_segments_can_be_supports(bench, panel):
    panel.ui.sceneSupportsCheckBox.click()
    assert panel.choice.sceneSupports() == [(bench.volume, bench.segmentation, None)]
    assert panel.ui.supportsLabel.text == "Looked for: what is drawn in Meier segmentation"
    panel.ui.sceneSupportsCheckBox.click()
    assert panel.choice.isEmpty()


def test_without_packages_the_engine_is_not_started(bench, monkeypatch, press):
    from FewShotSegmentModule.panels.libraryPanel import LibraryPanel
    from FewShotSegmentModule.setup import dependencies

    missing = [dependencies.Package("torch", ">=2.1", "", False)]
    monkeypatch.setattr(dependencies, "missingPackages", lambda: missing)
    panel = bench.open(LibraryPanel)
    asked = []
    bench.context.ensureReady = asked.append  # as where the user says No
    press(panel.ui.refreshLibraryButton)
    assert not bench.fake.transports and len(asked) == 1
    bench.context.ensureReady = lambda thenDo: True
    asked[0]()
    bench.wait()
    assert "empty" in panel.ui.libraryLabel.text, "what was clicked is done once the set-up is complete"


def test_a_crash_is_told_and_the_next_try_works(bench, panel, press):
    bench.fake.behaviour.crash_after = 1
    press(panel.ui.refreshLibraryButton)
    bench.wait()
    assert panel.ui.libraryLabel.text and "Traceback" not in panel.ui.libraryLabel.text
    press(panel.ui.refreshLibraryButton)
    bench.wait()
    assert "empty" in panel.ui.libraryLabel.text
