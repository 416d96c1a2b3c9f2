"""Devices, weights, sample data and diagnostics in the Set-up section."""

from __future__ import annotations

import hashlib
import io
from email.message import Message

import pytest
from panel_bench import Bench, rows


@pytest.fixture
def bench(application, scene):
    with Bench(application) as made:
        yield made


@pytest.fixture
def panel(bench):
    from FewShotSegmentModule.panels.setupPanel import SetupPanel

    return bench.open(SetupPanel)


# --- devices ---


def test_devices_are_looked_for_on_a_click(bench, panel, press):
    assert not bench.fake.transports
    press(panel.ui.checkDevicesButton)
    bench.wait()
    assert "RTX 4090" in panel.ui.deviceLabel.text and "2 threads" in panel.ui.deviceLabel.text
    assert "NVIDIA RTX 4090" in panel.ui.setupStatusLabel.text


def test_opening_the_section_asks_once(bench):
    from FewShotSegmentModule.panels.setupPanel import SetupPanel

    panel = bench.open(SetupPanel, collapsed=True)
    assert not bench.fake.transports
    for collapsed in (False, True, False):
        panel.section.collapsed = collapsed
        bench.wait()
    assert [request.kind for request in bench.fake.requests] == ["devices", "weights"]


def test_the_device_is_kept_in_the_scene(bench, panel, press):
    press(panel.ui.checkDevicesButton)
    bench.wait()
    combo = panel.ui.deviceComboBox
    combo.setCurrentIndex(combo.findData("cpu"))
    combo.activated.emit(combo.currentIndex)
    assert bench.context.parameterNode.device == "cpu"
    assert "CPU (2 threads)" in panel.ui.setupStatusLabel.text
    bench.context.parameterNode.device = "cuda:7"
    assert combo.itemData(combo.currentIndex) == "cuda:7"
    assert "was not found" in panel.ui.setupStatusLabel.text


def test_a_worker_that_cannot_start(bench, panel, press):
    bench.fake.behaviour.not_started = True
    press(panel.ui.checkDevicesButton)
    bench.wait()
    assert panel.ui.deviceLabel.text and "Traceback" not in panel.ui.deviceLabel.text
    assert panel.ui.checkDevicesButton.enabled


# --- weights ---


@pytest.fixture
def listed(bench, panel, press):
    bench.fake.answers.weights.append("mine")
    press(panel.ui.refreshWeightsButton)
    bench.wait()
    return panel


def select(panel, name):
    (row,) = [row for row, texts in enumerate(rows(panel.ui.weightsTable)) if texts[0] == name]
    panel.ui.weightsTable.selectRow(row)


def test_weights_are_listed(listed):
    assert rows(listed.ui.weightsTable)[0] == ["propagator-fake", "Apache-2.0", "21.9 MB"]
    combo = listed.ui.weightsComboBox
    assert [combo.itemText(row) for row in range(combo.count)] == ["propagator-fake (bundled)", "mine"]


def test_weights_in_use_are_kept_in_the_scene(bench, listed):
    combo = listed.ui.weightsComboBox
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert bench.context.parameterNode.weights == "mine"
    assert "weights mine" in listed.ui.setupStatusLabel.text
    bench.context.parameterNode.weights = "another scene's"
    assert combo.currentText == "another scene's"


def test_the_license_is_shown(listed, dialogs, press):
    dialogs.expect("info", "Apache-2.0")
    press(listed.ui.showLicenseButton)
    assert "it is a fake" in dialogs.texts("info")[0]


def test_the_folder_is_opened(bench, listed, dialogs, press, tmp_path):
    listed.weights.selected()["folder"] = str(tmp_path)
    press(listed.ui.openFolderButton)
    assert len(dialogs.opened) == 1 and tmp_path.name in str(dialogs.opened[0])
    listed.weights.selected()["folder"] = str(tmp_path / "gone")
    press(listed.ui.openFolderButton)
    assert len(dialogs.opened) == 1 and "not there any more" in listed.ui.weightsLabel.text


def test_import(bench, listed, dialogs, press, tmp_path):
    path = tmp_path / "weights.json"
    path.write_text("{}")
    dialogs.answer(False)
    press(listed.ui.importWeightsButton)
    assert len(bench.requests("weights")) == 1
    dialogs.answer(str(path))
    press(listed.ui.importWeightsButton)
    bench.wait()
    assert len(rows(listed.ui.weightsTable)) == 3 and "Imported" in listed.ui.weightsLabel.text


def test_bundled_weights_cannot_be_deleted(listed):
    select(listed, "propagator-fake")
    assert not listed.ui.deleteWeightsButton.enabled and "stay" in listed.ui.deleteWeightsButton.toolTip


def test_delete_asks_and_no_keeps(bench, listed, dialogs, press):
    bench.context.parameterNode.weights = "mine"
    select(listed, "mine")
    dialogs.answer(False, containing="mine")
    press(listed.ui.deleteWeightsButton)
    assert bench.fake.answers.weights == ["mine"]
    dialogs.answer(True, containing="mine")
    press(listed.ui.deleteWeightsButton)
    bench.wait()
    assert bench.fake.answers.weights == [] and len(rows(listed.ui.weightsTable)) == 1
    assert bench.context.parameterNode.weights == "", "the bundled ones are in use again"


# --- sample data ---


@pytest.fixture
def internet(bench, monkeypatch, tmp_path):
    """A sample that is no image of anybody, served without a network. Returns the requests."""
    from FewShotSegmentModule.setup import download, sampledata

    node = bench.add_volume("to be published")
    path = tmp_path / "published.nrrd"
    assert bench.slicer.util.saveNode(node, str(path))
    bench.slicer.mrmlScene.RemoveNode(node)
    content = path.read_bytes()
    sample = sampledata.ABDOMEN._replace(sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(sampledata, "SAMPLES", (sample, sampledata.HEAD))
    cache = tmp_path / "cache"
    monkeypatch.setattr(sampledata, "cachePath", lambda one: str(cache / one.fileName))
    asked = []

    def urlopen(uri, timeout):
        asked.append(uri)
        stream = io.BytesIO(content)
        stream.headers = Message()
        stream.headers["Content-Length"] = str(len(content))
        return stream

    monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)
    return asked


def test_no_downloads_nothing(bench, panel, internet, dialogs, press):
    dialogs.answer(False, containing="35 MB")
    press(panel.ui.tryItButton)
    assert internet == [] and panel.ui.tryItButton.text == "Try it"


def test_try_it_downloads_loads_and_selects(bench, panel, internet, dialogs, press):
    dialogs.answer(True, containing="35 MB")
    press(panel.ui.tryItButton)
    assert panel.ui.tryItButton.text == "Cancel"
    bench.wait(lambda: panel.ui.tryItButton.text == "Try it")
    assert internet == ["https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/" + internet[0][-64:]]
    assert bench.context.volumeNode.GetName() == "Panoramix-cropped"
    assert "Loaded" in panel.ui.sampleLabel.text


def test_a_wrong_file_is_not_loaded(bench, panel, internet, dialogs, press, problems):
    problems.expect_error("the download failed")
    panel.ui.sampleComboBox.setCurrentIndex(1)  # another checksum
    before = bench.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    dialogs.answer(True, containing="4 MB")
    press(panel.ui.tryItButton)
    bench.wait(lambda: panel.ui.tryItButton.text == "Try it")
    assert "not the one that was published" in panel.ui.sampleLabel.text
    assert bench.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before


def test_cancel_of_the_download(bench, panel, internet, dialogs, press):
    dialogs.answer(True)
    press(panel.ui.tryItButton)
    press(panel.ui.tryItButton)
    bench.wait(lambda: panel.ui.tryItButton.text == "Try it")
    assert bench.context.volumeNode is None and "Cancelled" in panel.ui.sampleLabel.text


# --- diagnostics ---


def test_diagnostics_go_to_the_clipboard_and_name_nobody(bench, panel, press):
    import qt

    bench.annotate(("Meier tumor",))
    bench.context.queueTitles = lambda: ["Schmidt_Anna"]
    press(panel.ui.checkDevicesButton)
    bench.wait()
    bench.fake.behaviour.fail = "Meier CT and Schmidt_Anna: Meier tumor of /scans/Huber.nrrd cannot be read."
    press(panel.ui.refreshWeightsButton)
    bench.wait()
    bench.context.warn("Meier segmentation has no slices.")
    press(panel.ui.copyDiagnosticsButton)
    text = qt.QApplication.clipboard().text()
    for name in ("Meier", "Schmidt", "Anna", "Huber"):
        assert name not in text, text
    assert "cannot be read." in text and "has no slices" in text and "RTX 4090" in text
    assert "28 × 24 × 12" in text
    assert "Copied" in panel.ui.diagnosticsLabel.text


def test_after_cleanup_nothing_listens(bench, panel):
    import logging

    handlers = logging.getLogger().handlers
    assert panel.errors in handlers
    panel.cleanup()
    assert panel.errors not in handlers


def test_nothing_is_cut_off(bench, listed, press, pictures):
    press(listed.ui.checkDevicesButton)
    bench.wait()
    width, needed = bench.picture(pictures / "set-up.png")
    assert needed <= width
