"""The extension, built and installed once by CMake against the stand-in for Slicer."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
STAND_IN = HERE / "StandInSlicer"


@pytest.fixture(scope="session")
def repository() -> Path:
    return HERE.parents[1]


@pytest.fixture(scope="session")
def package_lists():
    """The tool package_lists.py; pytest's importlib mode puts no test folder on sys.path."""
    specification = importlib.util.spec_from_file_location("package_lists", HERE / "package_lists.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run():
    """Run a command; its output becomes the message if it fails."""

    def run_command(*command: str | Path, **options) -> str:
        arguments = [str(part) for part in command]
        done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8", check=False, **options)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run_command


@pytest.fixture(scope="session")
def cmake_program():
    """The programs of CMake: from the Python package if it is there, else from the PATH."""

    def find(name: str) -> str:
        folder = None
        if importlib.util.find_spec("cmake"):
            from cmake import CMAKE_BIN_DIR as folder
        found = shutil.which(name, path=folder)
        assert found, f"{name} is not there: pip install cmake"
        return found

    return find


@pytest.fixture(scope="session")
def build(repository, run, cmake_program, tmp_path_factory) -> Path:
    """The build folder of the extension."""
    folder = tmp_path_factory.mktemp("extension") / "build"
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    stand_in = [
        f"-DSlicer_DIR={STAND_IN.as_posix()}",
        f"-DCMAKE_TOOLCHAIN_FILE={(STAND_IN / 'NothingToCompile.cmake').as_posix()}",
    ]
    cmake = cmake_program("cmake")
    run(cmake, *generator, "-S", repository, "-B", folder, *stand_in, "-DCMAKE_BUILD_TYPE=Release")
    run(cmake, "--build", folder, "--config", "Release")
    return folder


@pytest.fixture(scope="session")
def installed(build, run, cmake_program, tmp_path_factory) -> Path:
    """The installed folder that Slicer would have on its module path."""
    prefix = tmp_path_factory.mktemp("installed")
    # the component that Slicer's extension packages are made of
    run(cmake_program("cmake"), "--install", build, "--prefix", prefix, "--component", "RuntimeLibraries")
    return prefix / "lib/Slicer-5.12/qt-scripted-modules"
