"""Sources: the same part for the same numbers, whatever was asked for before; and what they promise about it."""

import pytest
import torch
from training_cases import make_volume

from FewShotSegmentLib import InputError
from FewShotSegmentLib.synthetic.draw import Draw
from FewShotSegmentLib.training.batches import SequenceBatch
from FewShotSegmentLib.training.few_shot_task import EpisodeBatch
from FewShotSegmentLib.training.settings import TrainSettings, preset
from FewShotSegmentLib.training.sources import AsEpisodes, ByTurns, make_source
from FewShotSegmentLib.training.synthetic_source import SyntheticSource, choose_structures, members
from FewShotSegmentLib.training.volume_source import VolumeEpisodes, VolumeSequences

CPU = torch.device("cpu")
SMALL = TrainSettings(size=64, per_part=3, length=(2, 4), iterations=10)


def tensors(part):
    if isinstance(part, EpisodeBatch):
        return [tensor for episode in part for tensor in episode]
    return [value for value in part if isinstance(value, torch.Tensor)]


def equal(one, other):
    a, b = tensors(one), tensors(other)
    return len(a) == len(b) and all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True))


SOURCES = {
    "synthetic": lambda volumes, **c: SyntheticSource(SMALL.changed(**c), CPU),
    "sequences": lambda volumes, **c: VolumeSequences(volumes, SMALL.changed(**c)),
    "implants": lambda volumes, **c: VolumeSequences(volumes, SMALL.changed(implants=1.0, **c)),
    "both": lambda volumes, **c: make_source(SMALL.changed(**c), volumes, CPU),
    "episodes": lambda volumes, **c: VolumeEpisodes(volumes, SMALL.changed(**c)),
    "published": lambda volumes, **c: VolumeEpisodes(volumes, SMALL.changed(episodes="published", **c)),
    "synthetic episodes": lambda volumes, **c: AsEpisodes(SyntheticSource(SMALL.changed(**c), CPU)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_part_depends_on_its_numbers_and_the_seed_alone(volumes, kind):
    one, other = SOURCES[kind](volumes), SOURCES[kind](volumes)
    parts = {key: one.part(*key) for key in ((0, 0), (1, 0), (5, 1), (7, 0))}
    torch.manual_seed(3)
    for key in reversed(parts):  # in another order, from a source that has made nothing
        assert equal(other.part(*key), parts[key])
    assert not equal(parts[0, 0], parts[7, 0]) and not equal(one.part(5, 0), parts[5, 1])
    assert not equal(SOURCES[kind](volumes, seed=8).part(0, 0), parts[0, 0])


@pytest.mark.parametrize("kind", ["synthetic", "sequences", "implants", "both"])
def test_sequences_are_what_the_propagator_takes(volumes, kind):
    source = SOURCES[kind](volumes)
    kinds = set()
    for step in range(20):
        batch = source.part(step, 0)
        b, t = batch.images.shape[:2]
        assert isinstance(batch, SequenceBatch) and b == batch.number == 3 and batch.slices == b * (t + 1)
        assert batch.images.shape == batch.masks.shape == (b, t, 64, 64) and batch.known.shape == (b, t)
        assert batch.support_images.shape == batch.support_masks.shape == (b, 1, 64, 64)
        assert len(batch.own_prior) == t and batch.own_prior.dtype == torch.bool
        assert set(batch.masks.unique().tolist()) <= {0.0, 1.0}
        assert all(torch.isfinite(x).all() for x in tensors(batch))
        assert (batch.support_masks.sum((1, 2, 3)) > 0).all()
        assert 2 <= t <= 4 if not batch.other_patient else t == 2
        kinds.add(batch.other_patient)
    assert kinds == {True, False}


@pytest.mark.parametrize("kind", ["synthetic", "sequences", "implants"])
def test_structures_are_absent_from_some_slices(volumes, kind):
    source = SOURCES[kind](volumes)
    absent = total = 0
    for step in range(30):
        batch = source.part(step, 0)
        known = batch.known > 0
        absent += int(((batch.masks.sum((2, 3)) == 0) & known).sum())
        total += int(known.sum())
    assert 0.05 < absent / total < 0.8


def test_anatomies_are_used_several_times_and_then_made_anew(monkeypatch):
    from FewShotSegmentLib.training import synthetic_source

    seeds = []
    real = synthetic_source.make_block
    monkeypatch.setattr(synthetic_source, "make_block", lambda seed, *a: seeds.append(seed) or real(seed, *a))
    source = SyntheticSource(SMALL.changed(reuse=3), CPU)
    for step in range(9):
        source.part(step, 0)
    assert len(seeds) == len(set(seeds)) == 3


def test_structures_that_end_are_picked_more_often():
    labels, other = torch.zeros(400, 48, 48, dtype=torch.long), torch.zeros(400, 48, 48, dtype=torch.long)
    labels[:, 4:20, 4:20], labels[:, 24:40, 4:20] = 1, 2
    other[:, 4:20, 4:20] = 1
    ends, stays = ((choose_structures(Draw(0), labels, other, 1, there)[:, 0] == 2).float().mean() for there in (0, 1))
    assert (
        ends == pytest.approx(0.75, abs=0.07) and stays < 0.05
    )  # three times as likely; never, where it must be there


def test_regions_are_picked_less_often():
    labels = torch.zeros(400, 48, 48, dtype=torch.long)
    labels[:, 4:20, 4:20], labels[:, 24:40, 4:20] = 1, 2
    structures = (choose_structures(Draw(0), labels, labels, 2, False)[:, 0] == 2).float().mean()
    assert structures == pytest.approx(1 / 1.2, abs=0.07)


def test_windows_show_the_structure_at_its_own_size():
    large = make_volume("large", 2, size=128)
    batch = VolumeSequences([large], SMALL.changed(size=48, other_patient=0.0, implants=0.0)).part(0, 0)
    assert batch.images.shape[-2:] == (48, 48) and (batch.support_masks.sum((1, 2, 3)) > 0).all()
    # no resampling: every pixel is one of the volume's, but for the sequences' own small transforms
    centres = [tuple(mask[0].nonzero().float().mean(0).tolist()) for mask in batch.support_masks]
    assert len(set(centres)) == 3


def test_members_of_two_labels_are_one_mask():
    labels = torch.tensor([[[0, 1, 2, 3]]])
    assert members(labels, torch.tensor([[1, 3]])).tolist() == [[[0.0, 1.0, 0.0, 1.0]]]


def test_both_are_used_by_their_share(volumes):
    class Named:
        def __init__(self, name):
            self.name = name

        def part(self, step, part):
            return self.name

    turns = ByTurns(Named("made"), Named("real"), SMALL.changed(volumes_share=0.3))
    drawn = [turns.part(step, 0) for step in range(400)]
    assert drawn.count("real") == pytest.approx(120, abs=30)


def test_pieces_are_the_whole_again(volumes):
    batch = SOURCES["sequences"](volumes).part(1, 0)
    for number in (2, 3, 8):
        pieces = batch.pieces(number)
        assert sum(piece.number for piece in pieces) == 3 and len(pieces) == min(number, 3)
        assert torch.equal(torch.cat([p.images for p in pieces]), batch.images)
        assert torch.equal(torch.cat([p.known for p in pieces]), batch.known)
    episodes = SOURCES["episodes"](volumes).part(0, 0)
    assert [len(piece) for piece in episodes.pieces(2)] == [2, 1]


def test_volumes_of_other_sizes_lie_in_the_middle_of_the_square():
    flat = make_volume("flat", 0, size=64)
    narrow = type(flat)(
        "narrow", "mr", flat.slices[:, :, :48].contiguous(), flat.superpixels[:, :, :48].contiguous(), (3, 1, 1), 3
    )
    batch = VolumeSequences([narrow], SMALL.changed(other_patient=0.0, implants=0.0)).part(0, 0)
    assert batch.images.shape[-2:] == (64, 64)
    assert not batch.masks[..., :8].any() and not batch.masks[..., 56:].any()
    assert (batch.images[..., :8] == 0).all() and (batch.images[..., 8:56] != 0).any()


def test_the_published_preset_draws_published_episodes(volumes):
    (episode,) = make_source(preset("published").changed(size=64), volumes, CPU).part(0, 0)
    assert len(episode.support_images) == len(episode.query_images) == 1
    assert episode.query_masks.any()


def test_too_short_volumes_are_refused():
    with pytest.raises(InputError, match="5 slices of the shortest sequence"):
        VolumeSequences([make_volume("thin", 0, depth=4)], SMALL.changed(length=(4, 6)))


def test_volumes_are_needed_unless_synthetic():
    with pytest.raises(InputError, match="--data synthetic"):
        make_source(SMALL, [], CPU)
    assert isinstance(make_source(SMALL.changed(data="synthetic"), [], CPU), SyntheticSource)
