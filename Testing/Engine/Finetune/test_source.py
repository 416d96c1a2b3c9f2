"""What is trained on: sequences from annotated slices, the same for the same numbers, and nothing hidden."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from finetune_cases import organ_with_slices, quick

from FewShotSegmentLib import Settings
from FewShotSegmentLib.finetune.source import AnnotatedSlices

MARK = 1e6


def parts(volumes, count=24, **values):
    source = AnnotatedSlices(volumes, quick(**values), seed=3)
    return [source.part(step, 0) for step in range(count)]


def same(a, b):
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True))


def test_a_part_depends_on_its_numbers_alone(annotated):
    volumes = [annotated, organ_with_slices(4, 9, seed=7, name="other")]
    forth = parts(volumes, 12)
    source = AnnotatedSlices(volumes, quick(), seed=3)
    back = [source.part(step, 0) for step in reversed(range(12))][::-1]
    assert all(same(a, b) for a, b in zip(forth, back, strict=True))
    assert not any(same(a, b) for a, b in itertools.pairwise(forth))


def test_shapes_values_and_a_support_that_is_never_empty(annotated):
    for part in parts([annotated]):
        assert part.support_images.shape[-2:] == annotated.grid.size and part.number == 1
        assert part.images.shape == part.masks.shape and part.images.shape[1] == part.known.shape[1]
        assert part.own_prior.shape == part.known.shape[1:] and part.own_prior.dtype == torch.bool
        assert part.support_masks.any() and part.masks.min() >= 0 and part.masks.max() <= 1
        assert torch.isfinite(part.images).all()
        assert part.known[0, -1] == 1  # every sequence ends where the truth is known


def test_slices_between_are_walked_without_a_truth(annotated):
    walked = [part for part in parts([annotated]) if (part.known == 0).any()]
    assert walked
    assert all(not part.masks[0, part.known[0] == 0].any() for part in walked)
    assert all(not part.other_patient for part in walked)


def test_hidden_slices_are_used_neither_as_images_nor_as_masks(annotated):
    volume = annotated.without(frozenset({5, 7, 8}))
    slices = annotated.grid.slices.clone()
    slices[[5, 7, 8]] = MARK
    marked = dataclasses.replace(volume, grid=dataclasses.replace(volume.grid, slices=slices))
    for part in parts([marked], 60):
        assert part.images.max() < MARK / 100 and part.support_images.max() < MARK / 100
    seen = dataclasses.replace(annotated, grid=marked.grid)
    assert any(part.images.max() > MARK / 100 for part in parts([seen], 60))  # else nothing was tested


def test_one_slice_is_carried_to_bent_copies_of_itself(annotated):
    for part in parts([organ_with_slices(6)], 6):
        assert part.known.all() and part.masks.flatten(2).any(2).all()
        assert not torch.equal(part.images[0, 0], part.support_images[0, 0])
        overlap = (part.support_masks[0, 0] * part.masks[0, 0]).sum() * 2
        assert overlap / (part.support_masks.sum() + part.masks[0, 0].sum()) > 0.5


def test_absence_is_trained_where_it_is_annotated():
    volume = organ_with_slices(5, 7, empty=(0, 13))
    last = [part for part in parts([volume], 40) if not part.masks[0, -1].any()]
    assert last and all(part.support_masks.any() for part in last)
    assert all(part.known[0, -1] == 1 for part in last)


def test_the_same_structure_in_two_volumes_of_different_shape():
    first, second = organ_with_slices(5, 7), organ_with_slices(6, 9, seed=2, name="other")
    wide = dataclasses.replace(
        second,
        grid=dataclasses.replace(second.grid, slices=torch.nn.functional.pad(second.grid.slices, (0, 0, 8, 8))),
    )
    across = [part for part in parts([first, wide], 40, other_volume=1.0) if part.other_patient]
    assert len(across) == 40
    assert {part.images.shape[-2:] for part in across} == {first.grid.size, wide.grid.size}
    assert all(part.support_images.shape[-2:] == part.images.shape[-2:] for part in across)


def test_other_structures_are_not_matched_across_volumes():
    volumes = [organ_with_slices(5, 7), organ_with_slices(6, 9, seed=2, name="other", segment="tumour")]
    assert not any(part.other_patient for part in parts(volumes, 20, other_volume=1.0))


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 3, 17)])
def test_share_of_generated_anatomies(share, least, most):
    volume = organ_with_slices(4, 8, settings=Settings(long_side=96))
    size = volume.grid.size
    assert size[0] != size[1]  # generated slices are square
    found = parts([volume], 20, rehearsal=share)
    others = sum(part.images.shape[-2:] != size for part in found)
    assert least <= others <= most
    assert np.all([part.number == 1 for part in found])
