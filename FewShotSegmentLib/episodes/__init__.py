"""Episodes: few-shot tasks made from volumes that nobody has labelled.

Rooms, in the order in which data flows: `sources` (which files), `load` and `volumes` (read, normalised, with
superpixels: a `training_volume`), `following` (a superpixel through neighbouring slices), `transforms` with `smooth`
and `contrast` (how slices are changed), then the episodes themselves: `published` (one slice twice), `volumetric`
(other slices, other “patients”), `sequences` (for the propagator), and `picture`. All randomness comes from a given
generator: the same volume and seed give the same bits.
"""

from .episode import Episode
from .following import FollowSettings
from .picture import draw_episodes
from .published import published_episode
from .sequences import SequenceSettings, SliceSequence, sequence
from .transforms import GENTLE, PATIENT, PUBLISHED, PUBLISHED_V3, TransformSettings
from .volumes import TrainingData, TrainingVolume, read_training_volumes
from .volumetric import VolumetricSettings, two_patients_episode, volumetric_episode

__all__ = [
    "GENTLE",
    "PATIENT",
    "PUBLISHED",
    "PUBLISHED_V3",
    "Episode",
    "FollowSettings",
    "SequenceSettings",
    "SliceSequence",
    "TrainingData",
    "TrainingVolume",
    "TransformSettings",
    "VolumetricSettings",
    "draw_episodes",
    "published_episode",
    "read_training_volumes",
    "sequence",
    "two_patients_episode",
    "volumetric_episode",
]
