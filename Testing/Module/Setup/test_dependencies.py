"""What is needed and what of it is missing, without importing any of it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from FewShotSegmentModule.setup import dependencies

tomllib = pytest.importorskip("tomllib", reason="comes with Python 3.11")

ROOT = Path(__file__).resolve().parents[3]
COME_WITH_SLICER = {"numpy", "SimpleITK"}


def test_requirements_are_those_of_the_engine():
    with open(ROOT / "pyproject.toml", "rb") as stream:
        wanted = tomllib.load(stream)["project"]["dependencies"]
    listed = [dependencies.TORCH, *dependencies.readRequirements(dependencies.requirementsPath())]
    assert sorted(listed) == sorted(one for one in wanted if one.split(">")[0] not in COME_WITH_SLICER)


def test_torch_is_not_in_the_list_for_pip():
    listed = dependencies.readRequirements(dependencies.requirementsPath())
    assert not [one for one in listed if "torch" in one]


@pytest.mark.parametrize(
    ("requirement", "version", "sufficient"),
    [
        ("pynrrd>=1.0", "1.1.3", True),
        ("pynrrd>=1.0", "0.4", False),
        ("torch>=2.1", "2.1.0+cpu", True),
        ("torch>=2.1", "2.0.1", False),
        ("torch >= 2.1, != 2.9.*", "2.9.1", False),
        ("tqdm", "4", True),
    ],
)
def test_versions_are_compared(monkeypatch, requirement, version, sufficient):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    package = dependencies.findPackage(requirement)
    assert (package.installed, package.sufficient) == (version, sufficient)


def test_what_cannot_be_found_is_missing(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("nrrd", "torch") else real(name))
    assert [package.requirement for package in dependencies.look()] == ["torch>=2.1", "pynrrd>=1.0"]
    monkeypatch.undo()
    assert len(dependencies.missingPackages()) == 2, "looked up once"
    assert dependencies.look() == dependencies.missingPackages() == []


def test_a_package_without_version_counts_as_there(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))

    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    assert dependencies.findPackage("tqdm>=4.60") == ("tqdm", ">=4.60", "?", True)


def test_comments_and_options_are_no_requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# why\n\n--index-url x\n  a>=1  \nb\n")
    assert dependencies.readRequirements(path) == ["a>=1", "b"]


def test_looking_imports_none_of_them():
    program = (
        "import sys; from FewShotSegmentModule.setup import dependencies, diagnostics, download, sampledata, bundled, "
        "pytorch; dependencies.missingPackages(); "
        "print([n for n in ('torch', 'nrrd', 'safetensors', 'tqdm', 'SampleData', 'PyTorchUtils') if n in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "FewShotSegment", capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
