"""The one settings object: every number that shapes a result, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How the engine looks at volumes and carries masks.

    Attributes:
        long_side: pixels of the longer side of a whole slice as the networks see it. The weights were trained at 192;
            256 is what they were measured at.
        finest_side: windows around structures are cut from slices of at most so many pixels on the longer side.
        window_margin: side of a window in sides of the square around the annotated mask.
        window_least: least side of a window in pixels of these slices; the spinal cord has 2 in a planning CT.
        window_size: pixels of a window's side as the propagator sees it, a multiple of 16.
        follow_presence: where a mask comes to the edge of its window, the window moves with it if the structure is at
            least this likely to be there,
        follow_area: and its mask at most so many times as large as the annotated one: what grows over the edge is
            mostly wrong, and a window that stays put bounds it.
        refiner_size: the same for the refiner, a multiple of 8; it was trained at 80.
        registered_ahead: slices that are registered together with their neighbours, ahead of the run.
        moved_share: weight of the mask as registration has moved it, beside the refiner's: an organ does not end
            because of one slice on which it is hard to see, but what the refiner no longer sees is gone after a few.
        network_share: weight of the propagator's probabilities beside both. Less than what ends a run on its own,
            (1 − moved_share) / (2 − moved_share) = 0.29, since the propagator runs on past organs' ends.
        sharpening: factor on the logits of all three together. Every step blurs the mask that it moves; 1.3 and more
            runs on past ends.
        ct_window: HU range kept of a CT, soft tissue: organs differ by tens of HU, air and bone by a thousand.
        clip_quantiles: intensity quantiles to which any volume is clipped before it is standardised.
        recent_slices: how many of the last slices are remembered beside the anchor. The weights were trained with
            one.
        stop_confidence: a run towards an open end stops at the first slice it is less sure of: by then most of what it
            sees of the structure lies under one half. Without a refiner 0.5 and more cut single structures short.
        stop_presence: a run towards an open end stops where the structure is less likely than this to be there.
        taper_below: a structure tapers where its area is less than this share of the largest one of its run and of the
            next anchor behind it.
        taper_steepening: from then on the area falls at least so many times as fast as it has at its fastest, and
        taper_absence: faster by this times 1 − presence, since what can hardly be seen has mostly ended.
        taper_cut: share of a slice's mask that is cut away at most,
        taper_unsure: and at most this times 1 − presence: what is all sure is left as it is seen.
        spread_weight: annotated slices are spread over a structure. Where there are three, its odds of being there fall
            by (1 + x) to this power, x being how far beyond the outermost one a slice lies, less the larger gap between
            these three, in such gaps.
        spread_least: in diameters; smaller gaps say nothing of a structure's length, since slices are corrected side by
            side too. Organs cut at 25, 50 and 75 % have gaps of 0.2 to 0.5 diameters.
        absent_weight: towards a slice where it was said to be absent, the odds fall by the share of the way that is
            left, to this power.
        taper_reach: what comes farther than so many diameters of its largest area is taken for a tube, and for tapering
            only at less than `taper_below`, in proportion.
        taper_span: distance over which a fall is measured, in diameters of the largest area.
        taper_doubt: a fall counts by what it is more than this times √area (pixels of the volume): masks of few pixels
            lose and win some without a reason.
        fusion_sharpness: exponent on the distance to an anchor where two runs meet: weight = confidence / distance^s.
        feature_cache_bytes: bound on image features kept for the way back. 512 MiB hold about 950 windows; a slice that
            was let go is encoded again.
        session_cache_bytes: bound on image features that a `VolumeSession` keeps from call to call. 1 GiB holds about
            1900 windows, several organs of a volume: no correction is to wait for an encoder.
        support_slices: slices of one support that are matched with another patient's volume; more cost time and say
            little new.
        body_scale: how much of the difference in size between two patients' bodies their organs share, 0 to 1.
        place_reach: distance between bodies' middles at which an organ may lie elsewhere in another patient, as a share
            of the slice's longer side (a standard deviation).
        place_weight: what a match loses at most for lying elsewhere; scores of right matches are 0.4 to 0.9.
        body_reach: as `place_reach`, along the body, as a share of the volume's length.
        body_weight: as `place_weight`, along the body.
        map_weight: what the few-shot network's own map adds to a match.
        order_weight: what a pair of support slices of one volume loses for being found at another distance.
        volumes_within: a support volume that matches worse than the best one by more has no say.
        anchors_within: a slice that matches worse than the best one by more becomes no anchor.
        extent_spans: as `extent_diameters`, in distances between a support's outermost annotated slices; one slice is
            added, since these are whole.
        extent_diameters: how far an organ is carried beyond its outermost found slice, in diameters of a disc of its
            largest found slice's area.
        found_above: match times confidence of the surest anchor from which an organ counts as probably found.
            `make bench` prints how often it is right where the organ is there and where its slices are taken out.
        segments_per_call: segments decoded together on an accelerator. A CPU gains little from batches.
    """

    long_side: int = 256
    finest_side: int = 512
    window_margin: float = 2.0
    window_least: int = 10
    window_size: int = 112
    follow_presence: float = 0.99
    follow_area: float = 1.0
    refiner_size: int = 96
    registered_ahead: int = 8
    moved_share: float = 0.6
    network_share: float = 0.15
    sharpening: float = 1.15
    ct_window: tuple[float, float] = (-160.0, 240.0)
    clip_quantiles: tuple[float, float] = (0.005, 0.995)
    recent_slices: int = 1
    stop_confidence: float = 0.3
    stop_presence: float = 0.5
    taper_below: float = 0.8
    taper_steepening: float = 1.1
    taper_absence: float = 15.0
    taper_cut: float = 0.25
    taper_unsure: float = 10.0
    taper_reach: float = 1.0
    taper_span: float = 0.3
    taper_doubt: float = 1.0
    spread_weight: float = 10.0
    spread_least: float = 0.2
    absent_weight: float = 2.0
    fusion_sharpness: float = 1.0
    feature_cache_bytes: int = 512 * 2**20
    session_cache_bytes: int = 2**30
    support_slices: int = 5
    body_scale: float = 0.7
    place_reach: float = 0.1
    place_weight: float = 0.2
    body_reach: float = 0.2
    body_weight: float = 0.1
    map_weight: float = 0.1
    order_weight: float = 0.1
    volumes_within: float = 0.1
    anchors_within: float = 0.2
    extent_diameters: float = 0.9
    extent_spans: float = 0.6
    found_above: float = 0.33
    segments_per_call: int = 8
