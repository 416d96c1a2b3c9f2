"""Settings: published defaults, sizes in mm, what cannot be, and a digest that tells settings apart."""

from dataclasses import replace

import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.superpixels import SuperpixelSettings
from FewShotSegmentLib.superpixels import settings as module


def test_the_published_settings_are_the_default():
    settings = SuperpixelSettings()
    assert (settings.method, settings.dimensions, settings.scale, settings.sigma) == ("felzenszwalb", 2, 1, 1)
    assert settings.smallest((5.0, 0.5, 0.5)) == settings.smallest((5.0, 2.0, 2.0)) == 400


def test_sizes_in_mm_follow_the_spacing():
    area = SuperpixelSettings(min_size_mm=900)
    assert area.smallest((5.0, 1.5, 2.0)) == 300
    assert area.smallest((5.0, 1.5, 2.0), axis=2) == 120
    assert SuperpixelSettings(dimensions=3, min_size_mm=900).smallest((5.0, 1.5, 2.0)) == 60
    assert SuperpixelSettings(dimensions=3).smallest((8.0, 1.25, 1.25)) == 1000
    assert SuperpixelSettings(dimensions=3, min_size=7).smallest((8.0, 1.25, 1.25)) == 7
    assert SuperpixelSettings(min_size_mm=0.1).smallest((1.0, 1.0, 1.0)) == 1


BAD = [
    (dict(method="watershed"), "no superpixel method"),
    (dict(dimensions=4), "2 or 3 dimensions"),
    (dict(method="quickshift", dimensions=3), "slices only"),
    (dict(min_size=9, min_size_mm=9.0), "given twice"),
    (dict(segments=9), "belongs to slic"),
    (dict(min_size=0), "min size of superpixels must be more than 0"),
    (dict(scale=-1.0), "scale of superpixels must be 0 or more"),
    (dict(sigma=float("nan")), "sigma"),
    (dict(min_size_mm=float("inf")), "min size mm"),
    (dict(method="slic", segments=-1), "segments"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_what_cannot_be_is_said(given, words):
    with pytest.raises(InputError, match=words) as refused:
        SuperpixelSettings(**given)
    assert str(refused.value).endswith(".")


def test_the_digest_tells_settings_apart(monkeypatch):
    base = SuperpixelSettings()
    assert base.digest() == SuperpixelSettings(scale=1).digest()
    others = [
        replace(base, scale=2.0),
        replace(base, sigma=0.5),
        replace(base, dimensions=3),
        replace(base, method="slic"),
        replace(base, min_size=400),
        replace(base, min_size_mm=400),
    ]
    digests = {settings.digest() for settings in [base, *others]}
    assert len(digests) == len(others) + 1 and {len(d) for d in digests} == {12}
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert base.digest() not in digests
