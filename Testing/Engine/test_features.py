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


def test_a_slice_is_encoded_once_for_all_segments_of_one_window(counted, organ):
    engine, seen = counted
    engine.propagate(organ.image, organ.anchors(8), modality="ct")
    alone = sum(seen)
    seen.clear()
    segments = {"a": organ.anchors(8), "b": organ.anchors(8), "c": organ.anchors(8)}
    results = engine.propagate_segments(organ.image, segments, modality="ct")
    assert sum(seen) == alone >= len(results["a"].slices)


def test_segments_of_different_windows_are_encoded_apart(counted, organ):
    engine, seen = counted
    corner = np.zeros_like(organ.mask[8])
    corner[:6, :6] = True
    engine.propagate_segments(organ.image, {"a": organ.anchors(8), "b": {8: corner}}, modality="ct", slice_range=(8, 9))
    assert sum(seen) == 4


def test_slices_that_no_run_reaches_are_not_encoded(counted, organ):
    engine, seen = counted
    engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(6, 8))
    assert sum(seen) == 3


def test_the_bound_on_kept_features_changes_time_not_results(counted, organ):
    engine, seen = counted
    anchors = dict.fromkeys((4, 10), organ.mask[7])  # of one window
    usual = engine.propagate(organ.image, anchors, modality="ct")
    kept = sum(seen)
    seen.clear()
    settings = replace(engine.settings, feature_cache_bytes=0)
    thrifty = Engine(engine.network, engine.device, engine.weights, settings, engine.refiner).propagate(
        organ.image, anchors, modality="ct"
    )
    assert sum(seen) > kept
    np.testing.assert_array_equal(thrifty.probability, usual.probability)


def test_what_is_kept_stays_within_the_bound(engine, organ):
    import torch

    from FewShotSegmentLib.preprocessing import Window, WindowedVolume, normalise
    from FewShotSegmentLib.propagation.features import FeatureStore

    grid = normalise(organ.image, (1, 1), "ct", engine.settings)
    view = WindowedVolume(grid, Window(0, 0, 64), 128)
    store = FeatureStore(engine.network, torch.device("cpu"), range(14), cache_bytes=2_000_000)
    with torch.inference_mode():
        for index in range(14):
            store.get(view, index)
        kept = store.kept_bytes
        assert 0 < kept <= 2_000_000
        store.on_the_way_back()
        before = store.encoded
        store.get(view, 13)
        assert store.encoded == before  # the slice wanted next is the one that was kept
        assert store.kept_bytes < kept
