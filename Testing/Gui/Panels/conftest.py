"""The four sections of the panel that work on one volume, put together without the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1], HERE.parents[2] / "FewShotSegment"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture
def make_panels(application, scene):
    """Makes and opens them; see panel_case.Panels."""
    from panel_case import Panels

    made = []

    def make(**options):
        made.append(Panels(application, **options))
        return made[-1]

    yield make
    for panels in made:
        panels.close()


@pytest.fixture
def panels(make_panels):
    """With a volume, a segmentation and an empty segment."""
    panels = make_panels()
    panels.add_volume()
    panels.annotation.makeSegmentation()
    return panels


@pytest.fixture
def drawn(panels):
    """With one slice drawn."""
    panels.draw(20)
    return panels


@pytest.fixture
def accepted(drawn):
    """With a result that was accepted."""
    drawn.propagate()
    drawn.press(drawn.propagating.ui.acceptButton)
    drawn.settle()
    return drawn
