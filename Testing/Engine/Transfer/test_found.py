"""From one patient to another: what is there is found, what is not is left empty, and it is said how surely."""

import numpy as np
import pytest
import torch
from small_cases import dice
from transfer_cases import one, support_of

from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.transfer import METHODS, Transfer


def test_one_slice_of_one_patient_is_the_organ_of_another(base, second, first):
    assert dice(base.mask, second.mask) > 0.93  # 0.98
    assert dice(first.mask, second.mask) < 0.8  # which is not for being in the same place
    assert base.found and base.confidence > 0.7
    truth = np.flatnonzero(second.mask.any((1, 2)))
    assert abs(base.slices[0] - truth[0]) <= 1 and abs(base.slices[-1] - truth[-1]) <= 1


def test_result_says_what_it_is(base, second):
    assert base.mask.dtype == bool and base.mask.shape == second.image.shape
    assert base.probability.dtype == np.float32 and base.probability.shape == second.image.shape
    assert base.probability.min() >= 0 and base.probability.max() <= 1
    np.testing.assert_array_equal(base.mask, base.probability > 0.5)
    assert base.slice_confidence.dtype == np.float32 and base.slice_confidence.shape == (len(second.image),)
    assert (base.slice_confidence >= 0).all() and (base.slice_confidence <= 1).all()
    filled = base.mask.any((1, 2))
    assert (base.slice_confidence[filled] <= np.float32(base.confidence)).all()
    assert base.slices == tuple(np.flatnonzero(filled))
    assert 0 <= base.confidence <= 1 and base.axis == 0 and base.seconds > 0
    (anchor,) = base.anchors
    assert (anchor.support, anchor.support_index) == (0, 7)
    assert base.mask[anchor.index].any() and second.mask[anchor.index].any()


def test_nobody_is_as_sure_of_an_anchor_as_of_a_drawn_slice(base):
    for anchor in base.anchors:
        assert base.slice_confidence[anchor.index] < 1


def test_three_slices(transfer, first, second, grid):
    three = support_of(first.image, first.mask, [4, 7, 9], grid)
    result = one(transfer, second.image, grid, [three])
    assert dice(result.mask, second.mask) > 0.93
    indices = [anchor.index for anchor in result.anchors]
    assert len(indices) == 3 and indices == sorted(set(indices))
    assert [anchor.support_index for anchor in result.anchors] == [4, 7, 9]


@pytest.mark.usefixtures("generous")
def test_two_patients(transfer, second, grid, support, third):
    result = one(transfer, second.image, grid, [support, third])
    assert dice(result.mask, second.mask) > 0.9
    assert {anchor.support for anchor in result.anchors} == {0, 1}
    for anchor in result.anchors:
        assert anchor.support_index in ((7,), (7, 12))[anchor.support]


def test_the_bare_network_slice_by_slice(bare, second):
    assert dice(bare.mask, second.mask) > 0.75  # 0.88
    assert bare.anchors == () and bare.found
    assert bare.probability.dtype == np.float32 and bare.slice_confidence.shape == (14,)
    assert (bare.slice_confidence >= 0).all() and (bare.slice_confidence <= 1).all()
    np.testing.assert_array_equal(bare.mask, bare.probability > 0.5)
    assert bare.slices == tuple(np.flatnonzero(bare.mask.any((1, 2))))
    # each slice's own, times the mean of them all
    filled = bare.slice_confidence[list(bare.slices)]
    assert filled.mean() == pytest.approx(bare.confidence**2) and filled.std() > 0


def test_confidence_of_the_bare_network_means_what_it_says(transfer, bare, second, grid, support):
    without = np.where(second.mask, 40, second.image).astype(np.int16)
    absent = one(transfer, without, grid, [support], propagate=False)
    assert absent.found is (absent.confidence >= 0.5)
    for result in (bare, absent):
        assert (result.slice_confidence[list(result.slices)] <= np.float32(result.confidence) + 1e-6).all()


def test_a_bare_slice_does_not_know_of_its_neighbours(transfer, bare, second, grid, support):
    """The same values on the same grid: slice 7 is the same whatever lies above it, up to how batches are rounded."""
    image = second.image.copy()
    image[:3] = second.image[2::-1]
    result = one(transfer, image, grid, [support], propagate=False)
    np.testing.assert_allclose(result.probability[7], bare.probability[7], atol=1e-3)


@pytest.mark.parametrize("method", METHODS[1:])
def test_every_method(engine, method, second, grid, support):
    transfer = Transfer(engine, method)
    result = one(transfer, second.image, grid, [support])
    assert result.found and dice(result.mask, second.mask) > 0.9  # the propagator draws and completes: 0.98
    alone = one(transfer, second.image, grid, [support], propagate=False)
    assert alone.mask.shape == second.image.shape and np.isfinite(alone.probability).all()
    if method != "conditional":  # which knows nothing untrained
        assert dice(alone.mask, second.mask) > 0.75


def test_a_network_like_one_from_a_published_checkpoint(engine, second, grid, support):
    torch.manual_seed(0)
    network = build("alpnet", "resnet18")
    transfer = Transfer(engine, "alpnet", network)
    assert transfer.network is network and not network.training
    for propagate in (True, False):
        result = one(transfer, second.image, grid, [support], propagate=propagate)
        assert np.isfinite(result.slice_confidence).all() and np.isfinite(result.probability).all()
        assert result.mask.shape == second.image.shape


def test_phantoms(engine):
    pytest.importorskip("scipy")
    from FewShotSegmentLib.phantom import make_phantom

    shape, spacing = (20, 64, 64), (15.0, 5.5, 5.5)
    a, b = (make_phantom(shape, spacing, seed=seed) for seed in (1, 2))
    grid = Geometry(shape, np.diag([5.5, 5.5, 15.0, 1.0]))
    label = {name: value for value, name in a.names.items()}["liver"]
    areas = (a.labels == label).sum((1, 2))
    index = int(areas.argmax())
    result = one(Transfer(engine), b.image, grid, [support_of(a.image, a.labels == label, [index], grid)])
    assert result.found
    assert dice(result.mask, b.labels == label) > 0.6
