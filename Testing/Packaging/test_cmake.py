"""The Slicer extension is complete: its file lists, its metadata, and what a real run of CMake installs.

Slicer itself is stood in for by StandInSlicer/, so this proves the extension's own CMake files, not Slicer's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest


def test_cmake_lists_every_file(package_lists):
    differences = package_lists.differences()
    advice = "python Testing/Packaging/package_lists.py --fix writes the lists"
    assert not differences, "\n".join([*differences, advice])


def test_git_ignores_none_of_the_files(package_lists, repository):
    """Slicer's build machines start from a clone: what git ignores here is not there."""
    if not (repository / ".git").exists():
        pytest.skip("this is not a clone")
    paths = [str(package_lists.LISTS[name] / file) for name, files in package_lists.listed().items() for file in files]
    command = ["git", "-C", str(repository), "check-ignore", "--stdin"]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == []
    assert done.returncode == 1, done.stderr  # 1: none is ignored


# --- metadata: the checks that the Extensions Index makes on the text of CMakeLists.txt ---


@pytest.fixture(scope="module")
def cmake_text(repository) -> str:
    return (repository / "CMakeLists.txt").read_text(encoding="utf-8")


def test_project_has_the_name_of_the_extension(cmake_text):
    # the index takes the first project() in the file, be it in a comment
    name = re.search(r"project\s*\(\s*([^\s)]+)", cmake_text)[1]
    assert name == "FewShotSegment"
    assert not name.startswith("Slicer")


@pytest.mark.parametrize("key", ["ICONURL", "SCREENSHOTURLS"])
def test_addresses_are_one_quoted_string_of_raw_image_addresses(cmake_text, key):
    values = re.findall(rf'^set\(EXTENSION_{key} "([^"\n]+)"\)$', cmake_text, re.MULTILINE)
    assert len(values) == 1
    for address in values[0].split():
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/Slicer[\w.-]+/main/\S+\.png", address)


def test_icon_address_is_the_icon_of_the_module(cmake_text, repository):
    address = re.search(r'EXTENSION_ICONURL "([^"]+)"', cmake_text)[1]
    assert (repository / address.split("/main/")[1]).is_file()


def test_licence_lies_where_the_index_looks(repository):
    assert "Apache License" in (repository / "LICENSE").read_text(encoding="utf-8")


def test_icon_is_a_png_of_128_by_128(repository):
    icon = (repository / "FewShotSegment/Resources/Icons/FewShotSegment.png").read_bytes()
    assert icon[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", icon[16:24]) == (128, 128)


# --- a real run of CMake ---


def test_cmake_reads_the_metadata(build):
    lines = (build / "metadata.txt").read_text(encoding="utf-8").splitlines()
    metadata = dict(line.split(" ", 1) for line in lines)
    assert metadata["NAME"] == "FewShotSegment"
    assert metadata["CATEGORY"] == "Segmentation"
    assert metadata["DEPENDS"] == "PyTorch"
    assert metadata["HOMEPAGE"].startswith("https://github.com/")
    # a semicolon makes a list of it, and Slicer hands these values on unquoted
    assert [key for key, value in metadata.items() if ";" in value] == []


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_install_holds_every_file_unchanged(installed, package_lists):
    packaged = package_lists.listed()
    # of the whole installation: a second copy elsewhere would be a mistake, too
    folder_of_modules = "lib/Slicer-5.12/qt-scripted-modules"
    expected = {f"{folder_of_modules}/{file}" for files in packaged.values() for file in files}
    assert files_in(installed.parents[2]) == expected
    for name, folder in package_lists.LISTS.items():
        for file in packaged[name]:
            assert (installed / file).read_bytes() == (folder / file).read_bytes(), file


def test_cpack_makes_an_archive_of_what_is_installed(build, installed, run, cmake_program, tmp_path):
    run(cmake_program("cpack"), "-C", "Release", "-B", tmp_path, cwd=build)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as package:
        names = {member.name for member in package if member.isfile()}
    assert {name.removeprefix("FewShotSegment/") for name in names} == files_in(installed.parents[2])


def test_self_tests_are_registered(build, run, cmake_program):
    listing = run(cmake_program("ctest"), "-N", "-C", "Release", cwd=build)
    assert set(re.findall(r"Test +#\d+: (\S+)", listing)) == {
        "py_nomainwindow_qSlicerFewShotSegmentModuleGenericTest",
        "py_FewShotSegment",
        "py_FewShotSegmentPackageTest",
        "py_FewShotSegmentSelfTest",
    }


# --- the installed files at work, with the module's folder first on the path as in Slicer ---


@pytest.fixture
def run_python(run, installed, tmp_path):
    """Run Python code as Slicer would; option -S leaves it nothing but the standard library and that folder."""

    def run_code(code: str, *options: str) -> list[str]:
        preface = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        return run(sys.executable, "-I", *options, "-c", preface + code, cwd=tmp_path).splitlines()

    return run_code


def test_version_is_known_without_torch(run_python, repository):
    code = "from FewShotSegmentLib.version import __version__; print(__version__, 'torch' in sys.modules)"
    (line,) = run_python(code, "-S")
    version, torch_was_imported = line.split()
    assert f'__version__ = "{version}"' in (repository / "FewShotSegmentLib/version.py").read_text(encoding="utf-8")
    assert torch_was_imported == "False"


def test_every_engine_module_imports_from_the_installed_folder(run_python, package_lists, installed):
    scripts = [Path(file) for file in package_lists.listed()["FewShotSegmentLib_PYTHON_SCRIPTS"]]
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in scripts]
    modules = [name for name in modules if not name.endswith("__main__")]
    code = f"import importlib\nfor name in {modules}: print(importlib.import_module(name).__file__)"
    places = run_python(code)
    assert len(places) == len(modules) > 0
    # an engine that pip has put elsewhere must not fill a gap
    assert [place for place in places if not Path(place).resolve().is_relative_to(installed.resolve())] == []


def test_every_installed_script_compiles(run, installed, tmp_path):
    run(sys.executable, "-m", "compileall", "-q", installed, env={**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)})


def test_installed_weights_match_their_manifest(installed):
    folder = installed / "Resources/weights"
    entries = json.loads((folder / "weights.json").read_text(encoding="utf-8"))["weights"]
    assert entries
    for entry in entries:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_installed_engine_finds_its_weights(run_python, installed):
    (found,) = run_python("from FewShotSegmentLib.weights import find_weights; print(find_weights().path)")
    assert Path(found).resolve().is_relative_to((installed / "Resources/weights").resolve())


def test_worker_of_the_installed_extension_answers_and_ends(installed, tmp_path):
    """As the module starts it: Slicer's Python, with the installed folder on PYTHONPATH."""
    command = [sys.executable, "-m", "FewShotSegmentLib.worker"]
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, **pipes) as worker:
        assert json.loads(worker.stdout.readline())["kind"] == "ready"
        request = {"kind": "weights", "id": "1", "action": "list", "path": "", "name": ""}
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        messages = (json.loads(line) for line in worker.stdout)
        answer = next(message for message in messages if message["kind"] in ("done", "failed"))
        worker.stdin.close()
        worker.stdout.read()
    assert worker.returncode == 0
    assert answer["kind"] == "done", answer
    bundled = {Path(weights["folder"]).resolve() for weights in answer["answer"]["weights"] if weights["bundled"]}
    # it is the installed engine that has answered, with its own weights
    assert bundled == {(installed / "Resources/weights").resolve()}
