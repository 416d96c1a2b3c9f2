"""What is trained on: windows along annotated slices, the same for the same numbers, and nothing hidden."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from finetune_cases import SMALL, organ_with_slices, quick

from FewShotSegmentLib.finetune.source import AnnotatedWindows, _oriented
from FewShotSegmentLib.motion import warp

MARK = 1e6


def source_of(volumes, **values):
    return AnnotatedWindows(volumes, quick(**values), SMALL, seed=3)


def parts(volumes, count=24, **values):
    source = source_of(volumes, **values)
    return [source.part(step, 0) for step in range(count)]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_part_depends_on_its_numbers_alone(annotated):
    volumes = [annotated, organ_with_slices(4, 9, seed=7, name="other")]
    forth = parts(volumes, 12)
    source = source_of(volumes)
    back = [source.part(step, 0) for step in reversed(range(12))][::-1]
    assert all(same(a, b) for a, b in zip(forth, back, strict=True))
    assert not any(same(a, b) for a, b in itertools.pairwise(forth))


def test_what_is_kept_is_bounded_and_changes_nothing(annotated, monkeypatch):
    forth = parts([annotated], 8)
    monkeypatch.setattr("FewShotSegmentLib.finetune.source._KEPT", 1)
    source = source_of([annotated])
    assert all(same(a, source.part(step, 0)) for step, a in enumerate(forth))
    assert len(source._kept) == 1


def test_shapes_values_and_an_anchor_that_is_never_empty(annotated):
    size = SMALL.refiner_size
    for part in parts([annotated]):
        assert part.number == 1 and part.anchor_image.shape == part.anchor_mask.shape == (1, 1, size, size)
        assert part.images.shape == part.masks.shape == (1, part.known.shape[1], size, size)
        assert part.displacements.shape == (1, part.known.shape[1], 2, size, size)
        assert part.own_prior.shape == part.known.shape[1:] and part.own_prior.dtype == torch.bool
        assert part.anchor_mask.sum() > 2 and part.masks.min() >= 0 and part.masks.max() <= 1
        assert float(part.anchor_image.mean()) == pytest.approx(0, abs=1e-4)
        assert float(part.anchor_image.std()) == pytest.approx(1, abs=0.01)
        assert all(torch.isfinite(value).all() for value in part)
        assert part.known[0, -1] == 1  # every walk ends where the truth is known
        assert (part.distances.diff() > 0).all()


def test_slices_between_are_walked_without_a_truth(annotated):
    walked = [part for part in parts([annotated]) if (part.known == 0).any()]
    assert walked
    assert all(not part.masks[0, part.known[0] == 0].any() for part in walked)


def test_hidden_slices_are_used_neither_as_images_nor_as_masks(annotated):
    volume = annotated.without(frozenset({5, 7, 8}))
    slices = annotated.finest.slices.clone()
    slices[[5, 7, 8]] = MARK
    finest = dataclasses.replace(volume.finest, slices=slices)
    marked = dataclasses.replace(volume, finest=finest)
    for part in parts([marked], 40):
        assert max(float(part.images.max()), float(part.anchor_image.max())) < 100
    seen = dataclasses.replace(annotated, finest=finest)
    # else nothing was tested
    assert any(float(p.images.max()) > 100 or float(p.images.min()) < -100 for p in parts([seen], 40))


def test_one_slice_is_carried_to_bent_copies_of_itself():
    for part in parts([organ_with_slices(6)], 6):
        assert part.known.all() and part.masks.flatten(2).any(2).all() and part.slices == 2
        assert not torch.equal(part.images[0, 0], part.anchor_image[0, 0])
        overlap = (part.anchor_mask[0, 0] * part.masks[0, 0]).sum() * 2
        assert overlap / (part.anchor_mask.sum() + part.masks[0, 0].sum()) > 0.5


def test_absence_is_trained_where_it_is_annotated():
    volume = organ_with_slices(5, 7, empty=(0, 13))
    last = [part for part in parts([volume], 40) if not part.masks[0, -1].any()]
    assert last and all(part.known[0, -1] == 1 and part.anchor_mask.any() for part in last)


def test_each_volume_has_its_turn_and_its_own_way_alone():
    """A walk never leaves its volume: masks of one patient are not carried to another's slices."""
    dark = organ_with_slices(6, 9, seed=2, name="other")
    raised = dataclasses.replace(dark.finest, slices=dark.finest.slices + 50 * torch.arange(14).view(-1, 1, 1))
    marked = dataclasses.replace(dark, finest=raised)
    rises = [bool(part.images.abs().max() > 30) for part in parts([organ_with_slices(5, 7), marked], 40)]
    walked = [bool(part.slices > 2) for part in parts([organ_with_slices(5, 7), marked], 40)]
    assert any(rises) and not all(rises) and any(walked)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 3, 17)])
def test_share_of_generated_anatomies(annotated, share, least, most):
    source = source_of([annotated], rehearsal=share)
    made = []
    if source._generated is not None:
        real = source._generated.part
        source._generated.part = lambda *key: (made.append(key), real(*key))[1]
    found = [source.part(step, 0) for step in range(20)]
    assert least <= len(made) <= most
    for step, _ in made:
        assert found[step].known.numel() == 4 and found[step].images.shape[-1] == SMALL.refiner_size


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_mirrored_and_turned_displacement_moves_the_mirrored_and_turned_image(columns, rows, turned):
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, 1, 24, 24), np.float32))
    move = torch.from_numpy(rng.normal(0, 2, (1, 2, 24, 24)).astype(np.float32))
    before = _oriented(warp(image, move), columns, rows, turned, False)
    after = warp(_oriented(image, columns, rows, turned, False), _oriented(move, columns, rows, turned, True))
    assert torch.allclose(before, after, atol=1e-5)
