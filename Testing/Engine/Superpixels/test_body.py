"""The body: holes filled, specks left out, both legs kept, and MR of any brightness."""

import numpy as np
from superpixel_cases import make_body

from FewShotSegmentLib.superpixels import body_mask


def test_ct_has_no_holes_and_no_specks():
    image = make_body()
    body = body_mask(image, "ct")
    assert body[:, 36:38, 40:42].all() and not body[:, 1:3, 1:3].any()
    inside = image > -125
    inside[:, 1:3, 1:3] = False
    inside[:, 36:38, 40:42] = True
    assert (body == inside).all()


def test_both_legs_and_not_the_fingers():
    image = np.full((2, 40, 80), -1000)
    image[:, 10:30, 5:30] = 40
    image[:, 12:30, 45:68] = 40
    image[:, 10:13, 74:77] = 40
    body = body_mask(image, "ct")
    assert body[:, 20, 10].all() and body[:, 20, 50].all() and not body[:, 11, 75].any()


def test_mr_with_a_bright_spot_keeps_its_body():
    rng = np.random.default_rng(0)
    image = make_body() > -125
    image[:, 1:3, 1:3] = False
    signal = np.where(image, 60.0, 3.0) + rng.normal(0, 1, image.shape)
    plain = body_mask(signal, "mr")
    signal[:, 30:36, 20:26] = 600.0
    spot = body_mask(signal, "mr")
    assert plain[image].mean() > 0.98 and spot[image].mean() > 0.98  # 60 of 600 is below the published 50 of 255
    assert spot[~image].mean() < 0.03
    assert (body_mask(signal * 7 + 100, "mr") == spot).mean() > 0.999  # of any scale


def test_along_any_axis():
    image = make_body()
    assert (np.moveaxis(body_mask(np.moveaxis(image, 0, 1), "ct", 1), 1, 0) == body_mask(image, "ct")).all()
