"""Slicer's views are rendered: what they show is what the nodes say."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def ball(scene):
    """A bright ball in a dark volume, and a red segment of it."""
    import headless_slicer

    grid = np.indices((20, 40, 40))
    inside = ((grid[0] - 10) / 7) ** 2 + ((grid[1] - 20) / 12) ** 2 + ((grid[2] - 20) / 12) ** 2 < 1
    volume = headless_slicer.add_volume((200 * inside).astype(np.int16), np.diag([-2.0, -2.0, 3.0, 1.0]), "ball")
    segmentation = headless_slicer.add_segmentation(volume)
    segmentation.CreateDefaultDisplayNodes()
    headless_slicer.add_segment(segmentation, volume, inside, name="ball", color=(1.0, 0.0, 0.0), tags={})
    segmentation.CreateClosedSurfaceRepresentation()
    return volume, segmentation


def red(image: np.ndarray) -> np.ndarray:
    image = image.astype(int)
    return image[..., 0] - image[..., 1:].max(axis=-1) > 40


@pytest.mark.parametrize("name", ["Red", "Yellow", "Green"])
def test_slice_shows_volume_and_segment(ball, name):
    from views import SliceView

    volume, segmentation = ball
    with SliceView(name, size=(200, 200)) as view:
        shown = view.show(volume).image()
        segmentation.GetDisplayNode().SetVisibility(False)
        plain = view.image()
    assert red(shown).sum() > 1000
    assert red(plain).sum() == 0
    assert plain[100, 100].min() > 200  # the ball
    assert plain[5, 5].max() < 20


def test_3d_view_shows_the_surface(ball):
    from views import ThreeDView

    _, segmentation = ball
    with ThreeDView(size=(200, 200)) as view:
        shown = view.look().image()
        segmentation.GetDisplayNode().SetVisibility(False)
        empty = view.image()
    assert red(shown).sum() > 1000
    assert red(empty).sum() == 0


def test_panel_is_pictured_in_both_styles_with_its_text(scene, pictures):
    import qt
    import views

    panel = qt.QWidget()
    layout = qt.QVBoxLayout(panel)
    layout.addWidget(qt.QLabel("WWWWWWWW"))
    light, dark = views.grab_panel(panel, width=200), views.grab_panel(panel, dark=True, width=200)
    assert light.shape[1] == dark.shape[1] == 200
    assert np.median(light) > 200
    assert np.median(dark) < 80
    assert (light < 80).sum() > 100  # fonts are there
    path = views.composite(light, [dark, light, dark], pictures / "stand-ins.png")
    assert path.stat().st_size > 500
