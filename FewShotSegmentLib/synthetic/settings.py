"""Every range from which a synthetic anatomy is drawn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SyntheticSettings:
    """How random anatomies look; ranges are (least, most), lengths in shares of the slice's side unless said otherwise.

    Structures are made so that they end, split, merge and are absent, since running on past an organ's end is what
    costs a propagated segmentation most.

    Attributes:
        depth: slices of a volume.
        size: pixels of a slice's sides, a multiple of 16.
        regions: numbers of regions that fill the space between structures; one is drawn.
        region_scale: typical sizes of these regions; one is drawn.
        blobs: number of structures that lie in front of the regions.
        radius: half-axis of a blob in the slice, drawn on a log scale: a vessel to a liver.
        elongation: natural logarithm of the ratio of a blob's half-axes in the slice.
        half_length: half-axis of a blob across slices, in slices; the upper end is a share of `depth`. Drawn on a log
            scale, so that half of the blobs end within a volume.
        bluntness: exponent of a blob's profile across slices: 2 tapers as an ellipsoid, 8 ends from one slice to the
            next as an organ does in thick slices.
        wobble: how far a blob's border departs from an ellipsoid.
        drift: a blob's shift from slice to slice, in pixels at 192, a standard deviation.
        forks: number of structures of two lobes that run into each other along the slices.
        twins: share of volumes in which the blobs have mirrored copies of the same appearance (kidneys, eyes, lungs).
        body: share of volumes with an outline, background around it and skin.
        contrast: spread of the tissues' grey values about their middle, 0 to 1 being black to white.
        outlier_tissues: share of tissues of any grey value.
        alike_tissues: share of structures that have, but for a little, another structure's grey value.
        texture: amplitude of a tissue's texture.
        bias: amplitude of the shading over the slice.
        noise: standard deviation of the noise.
        blur: standard deviation of the blur within slices, pixels.
        across: share of a slice that comes from its neighbours (partial volume).
        gamma: natural logarithm of the exponent on the grey values.
        patient_turn: half the range of turns of the second patient, radians.
        patient_scale: half the range of the natural logarithm of its size.
        patient_shift: half the range of its shift.
        patient_tissue: change of its tissues' grey values, a standard deviation; one is drawn.
        absent: share of second patients from whom a blob in two is taken out.
    """

    depth: int = 10
    size: int = 160
    regions: tuple[int, ...] = (5, 8, 12, 18)
    region_scale: tuple[float, ...] = (0.06, 0.09, 0.15, 0.23)
    blobs: tuple[int, int] = (6, 20)
    radius: tuple[float, float] = (0.02, 0.2)
    elongation: tuple[float, float] = (-0.7, 0.7)
    half_length: tuple[float, float] = (1.0, 1.2)
    bluntness: tuple[float, float] = (2.0, 8.0)
    wobble: tuple[float, float] = (0.0, 0.35)
    drift: float = 1.2
    forks: tuple[int, int] = (0, 3)
    twins: float = 0.3
    body: float = 0.75
    contrast: tuple[float, float] = (0.03, 0.16)
    outlier_tissues: float = 0.2
    alike_tissues: float = 0.15
    texture: tuple[float, float] = (0.0, 0.12)
    bias: tuple[float, float] = (0.0, 0.15)
    noise: tuple[float, float] = (0.005, 0.09)
    blur: tuple[float, float] = (0.3, 1.3)
    across: tuple[float, float] = (0.0, 0.3)
    gamma: tuple[float, float] = (-0.5, 0.5)
    patient_turn: float = 0.25
    patient_scale: float = 0.2
    patient_shift: float = 0.15
    patient_tissue: tuple[float, ...] = (0.01, 0.03, 0.06)
    absent: float = 0.3
