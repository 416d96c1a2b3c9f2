"""Compare what CMake packages into the extension with what lies in the tree.

``python Testing/Packaging/package_lists.py`` names the differences (exit status 1 if there are any); with ``--fix`` it
writes the lists in FewShotSegment/CMakeLists.txt anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_FOLDER = REPOSITORY / "FewShotSegment"
CMAKE_FILE = MODULE_FOLDER / "CMakeLists.txt"

# CMake list -> folder that its paths are relative to
LISTS = {
    "MODULE_PYTHON_SCRIPTS": MODULE_FOLDER,
    "MODULE_PYTHON_RESOURCES": MODULE_FOLDER,
    "FewShotSegmentLib_PYTHON_SCRIPTS": REPOSITORY,
    "FewShotSegmentLib_RESOURCES": REPOSITORY,
}


def _files(folder: Path, *patterns: str) -> list[Path]:
    """Files under the folder, without what Python and editors leave behind."""
    found = (path for pattern in patterns for path in folder.rglob(pattern))
    return sorted(
        path
        for path in found
        if path.is_file()
        and not any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(folder).parts)
    )


def wanted() -> dict[str, list[str]]:
    """The files in the tree that belong in each list."""
    engine = REPOSITORY / "FewShotSegmentLib"
    module_files = [
        path for path in _files(MODULE_FOLDER, "*") if path.relative_to(MODULE_FOLDER).parts[0] != "Testing"
    ]
    contents = {
        "MODULE_PYTHON_SCRIPTS": [path for path in module_files if path.suffix == ".py"],
        "MODULE_PYTHON_RESOURCES": [
            path for path in module_files if path.suffix != ".py" and path.name != "CMakeLists.txt"
        ],
        "FewShotSegmentLib_PYTHON_SCRIPTS": _files(engine, "*.py"),
        "FewShotSegmentLib_RESOURCES": [
            *(path for path in _files(engine, "*") if path.suffix != ".py"),
            *_files(REPOSITORY / "Resources" / "weights", "*"),
        ],
    }
    return {name: [path.relative_to(LISTS[name]).as_posix() for path in paths] for name, paths in contents.items()}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(set\({name}\n)(.*?)(  \)\n)", re.DOTALL)


def listed() -> dict[str, list[str]]:
    """The files that CMake packages, list by list."""
    text = CMAKE_FILE.read_text(encoding="utf-8")
    lists = {}
    for name in LISTS:
        block = _block(name).search(text)
        if block is None:
            raise SystemExit(f"{CMAKE_FILE}: there is no list {name}")
        lists[name] = block[2].replace("${MODULE_NAME}", "FewShotSegment").split()
    return lists


def differences() -> list[str]:
    """One line per file that is missing from a list, or listed and not there."""
    lines = []
    in_tree, in_cmake = wanted(), listed()
    for name in LISTS:
        lines += [f"{name} lacks {file}" for file in in_tree[name] if file not in in_cmake[name]]
        lines += [f"{name} lists {file}, which is not there" for file in in_cmake[name] if file not in in_tree[name]]
        lines += [f"{name} lists {file} twice" for file in {f for f in in_cmake[name] if in_cmake[name].count(f) > 1}]
    return lines


def fix() -> None:
    """Write the lists."""
    text = CMAKE_FILE.read_text(encoding="utf-8")
    for name, files in wanted().items():
        lines = "".join(f"  {file}\n" for file in files)
        text = _block(name).sub(lambda block, lines=lines: block[1] + lines + block[3], text)
    CMAKE_FILE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if "--fix" in sys.argv[1:]:
        fix()
    found = differences()
    print("\n".join(found) or "CMake packages every file.")
    sys.exit(1 if found else 0)
