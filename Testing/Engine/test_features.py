"""The feature store: each slice encoded once, memory bounded, results the same whatever is kept."""

from dataclasses import replace

import numpy as np
import pytest

from FewShotSegmentLib.engine import Engine


@pytest.fixture
def counted(engine, monkeypatch):
    """An engine with a count of how many slices its encoder has seen."""
    encoder = engine.network.image_encoder
    seen = []
    deepen = encoder.deepen
    monkeypatch.setattr(encoder, "deepen", lambda stem: (seen.append(stem.shape[0]), deepen(stem))[1])
    return engine, seen


def test_every_slice_is_encoded_once_whatever_the_number_of_segments(counted, organ):
    engine, seen = counted
    segments = {"a": organ.anchors(5, 9), "b": organ.anchors(8), "c": organ.anchors(3)}
    results = engine.propagate_segments(organ.image, segments, modality="ct")
    visited = set().union(*(r.slices for r in results.values()))
    assert sum(seen) <= len(organ.image)
    assert sum(seen) >= len(visited)


def test_slices_that_no_run_reaches_are_not_encoded(counted, organ):
    engine, seen = counted
    engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(6, 8))
    assert sum(seen) == 3


def test_the_bound_on_kept_features_changes_time_not_results(counted, organ):
    engine, seen = counted
    anchors = organ.anchors(4, 10)
    usual = engine.propagate(organ.image, anchors, modality="ct")
    kept = sum(seen)
    seen.clear()
    thrifty = Engine(
        engine.network, engine.device, engine.weights, replace(engine.settings, feature_cache_bytes=0)
    ).propagate(organ.image, anchors, modality="ct")
    assert sum(seen) > kept
    np.testing.assert_array_equal(thrifty.probability, usual.probability)


def test_what_is_kept_stays_within_the_bound(engine, organ):
    import torch

    from FewShotSegmentLib.preprocessing import normalise
    from FewShotSegmentLib.propagation.features import FeatureStore

    grid = normalise(organ.image, (1, 1), "ct", engine.settings)
    store = FeatureStore(engine.network, grid, torch.device("cpu"), range(14), cache_bytes=2_000_000)
    with torch.inference_mode():
        for index in range(14):
            store.get(index)
        kept = store.kept_bytes
        assert 0 < kept <= 2_000_000
        store.on_the_way_back()
        before = store.encoded
        store.get(13)
        assert store.encoded == before  # the slice wanted next is the one that was kept
        assert store.kept_bytes < kept
