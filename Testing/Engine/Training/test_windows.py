"""Windows out of sequences: what belongs together stays together, however it is cut, turned and coarsened."""

import pytest
import torch
from motion_cases import textured
from window_cases import CPU, SMALL, Given, discs, numbered

from FewShotSegmentLib.motion import RegistrationSettings, register, warp
from FewShotSegmentLib.training import windows
from FewShotSegmentLib.training.sources import make_source
from FewShotSegmentLib.training.windows import (
    COARSER,
    FARTHER_OUT,
    STEP,
    WindowBatch,
    WindowSource,
    between_neighbours,
)


def parts_of(batch, number=1, coarser=(1,), **changes):
    """Parts of the first steps, with pixels so many times as large."""
    source = WindowSource(Given(batch), SMALL.changed(**changes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "COARSER", coarser)
        return [source.part(step, 0) for step in range(number)]


def equal(one, other):
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_part_step_and_seed_has_windows_of_its_own():
    sequences, seen = numbered(4, discs(2)), []
    for seed, step, part in ((1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0)):
        batch = WindowSource(Given(sequences), SMALL.changed(seed=seed)).part(step, part)
        assert not any(torch.equal(batch.anchor_mask, other) for other in seen)
        seen.append(batch.anchor_mask)


DATA = {"synthetic": [], "volumes": "volumes", "both": "volumes"}


@pytest.mark.parametrize("data", DATA)
def test_a_part_depends_on_its_numbers_and_the_seed_alone(volumes, data):
    settings = SMALL.changed(data=data, length=(2, 6))
    one, other = (make_source(settings, volumes, CPU) for _ in range(2))
    assert isinstance(one, WindowSource)
    parts = {key: one.part(*key) for key in ((0, 0), (1, 0), (5, 1), (7, 0))}
    torch.manual_seed(3)
    for key in reversed(parts):  # in another order, from a source that has made nothing
        assert equal(other.part(*key), parts[key])
    assert not equal(parts[0, 0], parts[7, 0]) and not equal(one.part(5, 0), parts[5, 1])
    assert not equal(make_source(settings.changed(seed=8), volumes, CPU).part(0, 0), parts[0, 0])


@pytest.mark.parametrize("data", DATA)
def test_windows_are_what_the_refiner_takes(volumes, data):
    source = make_source(SMALL.changed(data=data, length=(2, 6)), volumes, CPU)
    lengths, absent = set(), 0
    for step in range(16):
        batch = source.part(step, 0)
        b, t = batch.images.shape[:2]
        assert isinstance(batch, WindowBatch) and b == batch.number == 3 and batch.slices == b * t
        assert batch.anchor_image.shape == batch.anchor_mask.shape == (b, 1, 32, 32)
        assert batch.images.shape == batch.masks.shape == (b, t, 32, 32)
        assert batch.displacements.shape == (b, t, 2, 32, 32)
        assert batch.distances.shape == batch.known.shape == (b, t)
        assert batch.own_prior.shape == (t,) and batch.own_prior.dtype == torch.bool
        for mask in (batch.anchor_mask, batch.masks):
            assert float(mask.min()) >= 0 and float(mask.max()) <= 1
        assert all(torch.isfinite(value).all() and not value.requires_grad for value in batch)
        assert set(batch.known.unique().tolist()) <= {0.0, 1.0} and batch.weight == float(batch.known.sum())
        assert bool((batch.anchor_mask.sum((1, 2, 3)) > 0)[batch.known.any(1)].all())
        steps = batch.distances.diff(dim=1)
        assert bool((steps > STEP[0] - 1e-4).all()) and bool((steps < STEP[1] + 1e-4).all())
        assert float(batch.distances.min()) >= STEP[0]
        # but for windows in flat ground, where there is nothing to be brought to 1
        assert torch.allclose(batch.anchor_image.mean((1, 2, 3)), torch.zeros(b), atol=1e-3)
        assert torch.allclose(batch.anchor_image.std((1, 2, 3)), torch.ones(b), atol=0.05)
        lengths.add(t)
        absent += int(((batch.masks.sum((2, 3)) == 0) & (batch.known > 0)).sum())
    assert lengths == {2, 3, 4} and absent > 3


def test_slices_stay_with_their_distances_masks_and_what_is_known_of_them():
    sequences = numbered(9, discs(2))
    skipped = set()
    for batch in parts_of(sequences, 40):
        # the anchor plus n: what is left of a slice without the anchor is n in units of the anchor's deviation
        beside = (batch.images - batch.anchor_image).mean((2, 3))
        numbers = beside / beside.diff(dim=1)[:, :1]
        assert torch.allclose(numbers, numbers.round(), atol=1e-2) and torch.equal(*numbers.round())
        number = numbers[0].round().long()
        first = int(number[0])
        assert number.tolist() == list(range(first, first + 4)) and first <= 6
        # distances go on from the anchor, whatever is left out
        assert torch.allclose(batch.distances / batch.distances[:, :1], (number / first).expand(2, -1), atol=1e-4)
        known = sequences.known[:, number - 1]
        # begun from a mask that is not known, nothing can be said of those after it
        assert torch.equal(batch.known, known if first == 1 else known * sequences.known[:, first - 2, None])
        start = ((batch.start_image - batch.anchor_image).mean((1, 2, 3)) / beside.diff(dim=1)[:, 0]).round()
        assert start.tolist() == [first - 1] * 2
        assert torch.allclose(batch.start_distance, batch.distances[:, 0] * (first - 1) / first, atol=1e-4)
        assert torch.allclose(batch.start_mask, batch.anchor_mask * (1 - (first - 1) / 20), atol=1e-5)
        assert bool(batch.start_displacement.any()) == (first > 1)
        assert torch.equal(batch.own_prior, sequences.own_prior[number - 1])
        assert torch.allclose(batch.masks, batch.anchor_mask * (1 - number / 20).view(1, -1, 1, 1), atol=1e-5)
        skipped.add(first - 1)
    assert skipped == {0, 1, 2, 3, 4, 5}


def test_slices_share_the_anchor_s_scale():
    sequences = numbered(3, discs(2))
    louder = sequences.support_images * torch.tensor([1.0, 2.0, 0.5]).view(1, 3, 1, 1)
    for batch in parts_of(sequences._replace(images=louder), 3):
        assert torch.allclose(batch.images.std((2, 3)), torch.tensor([[1.0, 2.0, 0.5]] * 2), atol=0.05)


def test_as_many_begin_farther_out_as_is_said():
    firsts = [batch.distances for batch in parts_of(numbered(9, discs(1)), 200)]
    farther = sum(float(d[0, 0]) > 1.5 * float(d[0, 1] - d[0, 0]) for d in firsts)
    # one in six of those that may leave out leave out none
    assert farther / 200 == pytest.approx(FARTHER_OUT * 5 / 6, abs=0.1)


def test_short_sequences_are_shown_whole():
    for length in (1, 3, 4):
        for batch in parts_of(numbered(length, discs(2)), 5):
            assert batch.images.shape[1] == length
            beside = (batch.images - batch.anchor_image).mean((2, 3))
            assert torch.allclose(beside / beside[:, :1], torch.arange(1.0, length + 1).expand(2, -1), atol=1e-2)


def shown_box(mask):
    """First and last row and column of a mask [h, w], and how many each."""
    seen = mask > 0.5
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    return [(int(line[0]), int(line[-1])) for line in (rows, columns)]


@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_a_window_is_so_many_times_as_large_as_the_structure(size):
    height, width = size
    mask = torch.zeros(1, 1, height, width)
    mask[..., 20:32, 30:42] = 1  # 12 × 12
    shares = []
    for batch in parts_of(numbered(1, mask), 60, size_of_window=64):
        (top, bottom), (left, right) = shown_box(batch.anchor_mask[0, 0])
        tall, wide = bottom - top + 1, right - left + 1
        assert abs(tall - wide) <= 1  # squares stay squares
        assert abs(top + bottom + 1 - 64) < 0.3 * 64 and abs(left + right + 1 - 64) < 0.3 * 64
        shares.append(tall / 64)
    assert 1 / 3.3 - 0.03 < min(shares) < 0.35 and 0.52 < max(shares) < 1 / 1.7 + 0.03


def test_small_structures_are_not_blown_up():
    small = torch.zeros(1, 1, 64, 64)
    small[..., 30:33, 30:33] = 1
    for batch in parts_of(numbered(1, small), 8, size_of_window=80):
        (top, bottom), _ = shown_box(batch.anchor_mask[0, 0])
        assert bottom - top + 1 == pytest.approx(3 * 80 / windows.LEAST_SIDE, abs=1.1)


@pytest.mark.parametrize(("rows", "columns"), [(58, 20), (20, 58)])
def test_large_structures_are_shown_whole_whichever_side_is_longer(rows, columns):
    large = torch.zeros(1, 1, 64, 64)
    large[..., 4 : 4 + rows, 4 : 4 + columns] = 1
    for batch in parts_of(numbered(1, large), 8, size_of_window=64):
        sides = sorted(last - first + 1 for first, last in shown_box(batch.anchor_mask[0, 0]))
        assert sides[0] == pytest.approx(20, abs=1) and sides[1] >= 50  # 58 but for what a shift cuts


def test_windows_lie_about_their_structure_wherever_it_is():
    mask = torch.zeros(4, 1, 64, 96)
    for n, (row, column) in enumerate(((0, 0), (0, 90), (58, 0), (58, 90))):
        mask[n, :, row : row + 6, column : column + 6] = 1
    for batch in parts_of(numbered(2, mask), 6):
        assert bool((batch.anchor_mask.sum((1, 2, 3)) > 30).all()) and batch.known[:, 0].tolist() == [1] * 4
        # beyond the slice images go on, masks do not
        assert bool((batch.anchor_mask.mean((1, 2, 3)) < 0.5).all())
        assert torch.isfinite(batch.images).all()


def test_without_a_mask_a_window_lies_in_the_middle_and_does_not_count():
    mask = discs(2)
    mask[1] = 0
    (batch,) = parts_of(numbered(3, mask))
    assert batch.known[0].tolist() != [0, 0, 0] and batch.known[1].tolist() == [0, 0, 0]
    assert torch.isfinite(batch.anchor_image).all() and float(batch.anchor_image[1].std()) > 0.5


def test_images_and_masks_are_cut_alike_and_seen_from_all_sides():
    mask = torch.zeros(3, 1, 64, 64)
    mask[..., 20:44, 24:40] = 1
    image = 2 * mask.clone()
    image[..., 23:27, 34:37] = 4  # a spot near one corner
    images = image.expand(-1, 3, -1, -1)
    sequences = numbered(3, mask)._replace(support_images=image, images=images)
    seen = set()
    for batch in parts_of(sequences, 30, size_of_window=64):
        shown, drawn = batch.anchor_image[:, 0], batch.anchor_mask[:, 0]
        ground = shown.amin((1, 2), keepdim=True)
        inside = shown > ground + 0.5 * (shown[drawn > 0.99].min() - ground.max())
        assert float((inside != (drawn > 0.5)).float().mean()) < 0.01
        for n in range(3):
            spot = (shown[n] > shown[n].max() - 0.5).nonzero().float().mean(0)
            middle = (drawn[n] > 0.5).nonzero().float().mean(0)
            down, across = (spot - middle).tolist()
            seen.add((down > 0, across > 0, abs(down) > abs(across)))
        # all slices of a sequence are seen from the same side
        assert torch.allclose(batch.images, batch.anchor_image.expand(-1, 3, -1, -1), atol=1e-4)
    assert len(seen) == 8


def roughness(batch, n=0):
    """How much neighbouring pixels of a window differ."""
    return float(batch.images[n].diff(dim=-1).abs().mean() + batch.images[n].diff(dim=-2).abs().mean())


def test_slices_are_seen_with_coarser_pixels_in_the_same_place():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:40, 24:40] = 1  # whole pixels, of which every size is
    sequences = numbered(2, mask)
    (fine,), *others = (parts_of(sequences, 1, (factor,), size_of_window=64) for factor in (1, 2, 4))
    for (coarse,) in others:
        inside = fine.anchor_mask > 0.5
        assert float(((coarse.anchor_mask > 0.5) != inside).float().mean()) < 0.02
        assert torch.equal(coarse.distances, fine.distances) and torch.equal(coarse.known, fine.known)
    assert roughness(fine) > 1.05 * roughness(others[0][0]) > 1.2 * roughness(others[1][0])


def test_masks_are_drawn_in_the_coarser_pixels():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 18:45, 23:42] = 1  # 27 × 19; most of the pixels of 4 from 20 to 43 and from 24 to 43
    sequences = numbered(2, mask)._replace(masks=mask.expand(-1, 2, -1, -1))
    (batch,), (fine,) = (parts_of(sequences, 1, (factor,), size_of_window=64) for factor in (4, 1))
    area = float(batch.anchor_mask.sum() / fine.anchor_mask.sum())
    assert area == pytest.approx(28 * 20 / (27 * 19), rel=0.03)
    assert torch.allclose(batch.masks, batch.anchor_mask.expand(-1, 2, -1, -1), atol=1e-6)


def test_what_would_be_lost_in_coarser_pixels_is_left_as_it_is():
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 30:33, 30:33] = 1
    mask[1, :, 20:40, 20:40] = 1
    (fine,), (coarse,) = (parts_of(numbered(2, mask), 1, (factor,), size_of_window=64) for factor in (1, 4))
    for name in ("anchor_image", "anchor_mask", "images", "masks", "known"):
        assert torch.equal(getattr(fine, name)[0], getattr(coarse, name)[0]), name
    assert not torch.equal(fine.images[1], coarse.images[1]) and roughness(coarse, 1) < 0.9 * roughness(fine, 1)


def test_half_of_the_parts_have_the_slices_pixels():
    sequences = numbered(1, discs(1))
    # of as many to choose from, so that what is drawn after it is the same
    fine, drawn = parts_of(sequences, 80, (1,) * len(COARSER)), parts_of(sequences, 80, COARSER)
    alike = sum(equal(one, other) for one, other in zip(fine, drawn, strict=True))
    assert alike / 80 == pytest.approx(COARSER.count(1) / len(COARSER), abs=0.15)


def test_displacements_lead_from_each_slice_to_the_next():
    wide = textured(48, 64)
    still = textured(48, 48, 1)[..., :40]
    moving = torch.cat([wide[..., :, 3 * t : 3 * t + 40] for t in range(4)], 1)  # the ground goes 3 columns back
    moving = torch.stack([moving[0], still.expand(-1, 4, -1, -1)[0]])
    moves = between_neighbours(moving, RegistrationSettings())
    assert moves.shape == (2, 3, 2, 48, 40)
    inner = (slice(None), slice(None), slice(10, -10), slice(10, -10))
    assert float((moves[0][inner][:, 0] - 3).abs().mean()) < 0.4
    assert float(moves[0][inner][:, 1].abs().mean()) < 0.4
    assert float(moves[1].abs().max()) < 1e-3
    seen = warp(moving[0, :3, None], moves[0], "border")
    assert float((seen - moving[0, 1:, None]).abs().mean()) < 0.35 * float(moving[0].diff(dim=0).abs().mean())


def test_a_bright_pixel_does_not_outweigh_the_rest():
    images = torch.cat([textured(32, 32), textured(32, 32, 1)], 1)
    bright = images.clone()
    bright[..., 8:12, 8:12] = 3.0
    much = bright.clone()
    much[..., 8:12, 8:12] = 40.0
    settings = RegistrationSettings()
    assert torch.equal(between_neighbours(much, settings), between_neighbours(bright, settings))
    assert torch.equal(between_neighbours(-much, settings), between_neighbours(-bright, settings))


def test_displacements_are_found_at_half_the_resolution():
    images = torch.cat([textured(32, 48), textured(32, 48, 1)], 1).clamp(-2, 2)
    half = torch.nn.functional.avg_pool2d(images, 2)
    settings = RegistrationSettings((4,))
    small = register(half[:, :1], half[:, 1:], settings)
    large = between_neighbours(images, settings)[:, 0]
    assert torch.allclose(
        torch.nn.functional.avg_pool2d(large, 2)[..., 2:-2, 2:-2], 2 * small[..., 2:-2, 2:-2], atol=0.1
    )


def test_displacements_of_a_part_fit_its_images():
    sequences = make_source(SMALL.changed(network="propagator", length=(4, 4)), [], CPU)
    better = worse = 0.0
    for step in range(6):
        batch = WindowSource(sequences, SMALL.changed(size_of_window=64)).part(step, 0)
        images = torch.cat([batch.anchor_image, batch.images], 1).clamp(-3, 3)
        for t in range(batch.images.shape[1]):
            moved = warp(images[:, t, None], batch.displacements[:, t], "border")
            better += float((moved[:, 0] - images[:, t + 1]).abs().mean())
            worse += float((images[:, t] - images[:, t + 1]).abs().mean())
    assert better < 0.85 * worse


def test_pieces_are_the_whole_again():
    (batch,) = parts_of(numbered(4, discs(3)))
    for number in (1, 2, 3, 8):
        pieces = batch.pieces(number)
        assert len(pieces) == min(number, 3) and sum(piece.number for piece in pieces) == 3
        for name in WindowBatch._fields:
            parts = [getattr(piece, name) for piece in pieces]
            whole = getattr(batch, name)
            if name == "own_prior":
                assert all(torch.equal(part, whole) for part in parts)
            else:
                assert torch.equal(torch.cat(parts), whole)
        assert sum(piece.weight for piece in pieces) == batch.weight == 6.0
        assert sum(piece.slices for piece in pieces) == batch.slices == 12


def test_a_part_goes_to_a_device_whole():
    (batch,) = parts_of(numbered(2, discs(2)))
    moved = batch.to(torch.device("meta"))
    assert isinstance(moved, WindowBatch) and all(value.device.type == "meta" for value in moved)
    assert equal(batch.to(CPU), batch)
