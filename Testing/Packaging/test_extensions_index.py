"""What the Extensions Index checks of an entry and of the repository behind it, asked before it is handed in."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)
REQUIRED = {"$schema", "category", "scm_url"}
OPTIONAL = {
    "scm_revision",
    "scm_type",
    "build_dependencies",
    "build_subdirectory",
    "dicom_support_rule",
    "enabled",
    "tier",
}
CATEGORIES = {"Segmentation"}  # of those in the index, the one that is meant
LIMIT = 100 * 2**20
PICTURE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")


@pytest.fixture(scope="module")
def entry_file(repository) -> Path:
    return repository / "Docs/ExtensionsIndex/FewShotSegment.json"


@pytest.fixture(scope="module")
def entry(entry_file) -> dict:
    return json.loads(entry_file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def metadata(repository) -> dict[str, str]:
    """Values of the EXTENSION_ variables, read as the index reads them: from the text."""
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]*)"\)$', text, re.MULTILINE))


def test_entry_has_the_keys_of_the_schema(entry):
    assert entry["$schema"] == SCHEMA
    assert entry.keys() >= REQUIRED
    assert entry.keys() <= REQUIRED | OPTIONAL
    assert entry["tier"] in range(1, 6)


def test_entry_is_formatted_as_prettier_would(entry, entry_file):
    """Two spaces, every list on lines of its own, LF, one newline at the end."""
    assert entry_file.read_bytes() == (json.dumps(entry, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def test_name_is_that_of_the_project(entry_file, repository):
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r"project\s*\(\s*([^\s)]+)", text)[1] == entry_file.stem
    assert not entry_file.stem.startswith("Slicer")


def test_entry_and_cmake_agree(entry, metadata):
    assert entry["category"] == metadata["CATEGORY"]
    assert entry["category"] in CATEGORIES
    assert entry["build_dependencies"] == metadata["DEPENDS"].split()
    assert entry["scm_url"] == metadata["HOMEPAGE"] + ".git"
    for key in ("ICONURL", "SCREENSHOTURLS"):
        for address in metadata[key].split():
            owner_and_name = address.removeprefix("https://raw.githubusercontent.com/").split("/")[:2]
            assert "https://github.com/" + "/".join(owner_and_name) == metadata["HOMEPAGE"]


def test_repository_is_named_as_the_index_wants(entry):
    assert entry["scm_url"].endswith("/SlicerFewShotSegment.git")
    assert entry["scm_revision"] == "main"
    assert entry["build_subdirectory"] == "."


def test_description_says_what_it_does_and_what_leaves_the_computer(metadata):
    assert 100 < len(metadata["DESCRIPTION"]) < 500
    assert "no image leaves" in metadata["DESCRIPTION"]


def test_screenshots_are_pictures_of_this_repository(metadata, repository):
    addresses = metadata["SCREENSHOTURLS"].split()
    assert addresses
    for address in addresses:
        path = repository / address.split("/main/", 1)[1]
        assert path.is_file(), f"{path} is not there"
        assert path.read_bytes().startswith(PICTURE_SIGNATURES), f"{path} is no picture"


def test_every_picture_and_page_that_a_page_shows_is_there(repository):
    """Of the README and of Docs; addresses of other sites are not looked at."""
    missing = []
    for page in (repository / "README.md", *(repository / "Docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                missing.append(f"{page.relative_to(repository)}: {target}")
    assert missing == []


def test_icons_of_the_editor_are_small_squares(repository):
    icon = (repository / "FewShotSegment/Resources/Icons/FewShotPropagate.png").read_bytes()
    width, height = struct.unpack(">II", icon[16:24])
    assert width == height
    assert width in (21, 42)


def test_repository_is_small_enough(repository):
    """All of the history counts, as the index clones it."""
    git = repository / ".git"
    if not git.is_dir():
        pytest.skip("this is not a clone with a history of its own")
    size = sum(path.stat().st_size for path in git.rglob("*") if path.is_file())
    assert size < LIMIT, f"{size / 2**20:.0f} MB"


def test_citation_agrees_with_the_project(repository):
    text = (repository / "CITATION.cff").read_text(encoding="utf-8")
    fields = dict(re.findall(r'^([a-z-]+): "?([^"\n]+)"?$', text, re.MULTILINE))
    version = re.search(r'__version__ = "([^"]+)"', (repository / "FewShotSegmentLib/version.py").read_text("utf-8"))[1]
    assert fields["cff-version"] == "1.2.0"
    assert fields["title"] == "FewShotSegment"
    assert fields["version"] == version
    assert fields["license"] == "Apache-2.0"
    assert "https://github.com/FewShotSegment/SlicerFewShotSegment" in fields["repository-code"]
