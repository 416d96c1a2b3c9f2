"""Pictures of episodes."""

import sys

import numpy as np
import pytest

from FewShotSegmentLib import InputError, OutputError
from FewShotSegmentLib.episodes import draw_episodes, published_episode, volumetric_episode

image = pytest.importorskip("matplotlib.image")


@pytest.fixture
def episodes(volume):
    rng = np.random.default_rng(0)
    return [published_episode(volume, 4, rng), volumetric_episode(volume, rng, 2, 3)]


def test_rows_columns_and_outlines(episodes, tmp_path):
    draw_episodes(episodes, tmp_path / "e.png")
    picture = image.imread(tmp_path / "e.png")[..., :3]
    height, width = picture.shape[:2]
    assert width / height == pytest.approx(5 * 2 / (2 * 2 + 0.3), rel=0.02)
    colored = (picture.max(-1) - picture.min(-1)) > 0.3
    cell = width // 5
    assert colored[height // 2 :, :cell].any() and colored[height // 2 :, 2 * cell : 3 * cell].any()
    assert not colored[40 : height // 2, cell : 2 * cell].any()  # the first row has one support


def test_it_replaces_the_file_and_leaves_nothing_else(episodes, tmp_path):
    path = tmp_path / "e.png"
    path.write_text("old")
    draw_episodes(episodes, path)
    first = path.read_bytes()
    draw_episodes(episodes, path)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["e.png"]


def test_what_cannot_be_drawn(episodes, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no episode"):
        draw_episodes([], tmp_path / "e.png")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_episodes(episodes, tmp_path / "missing" / "e.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"fewshotsegment\[training\]"):
        draw_episodes(episodes, tmp_path / "e.png")
