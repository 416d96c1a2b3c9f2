"""A small body with organs in it, and calling `fewshotsegment superpixels`, for the tests of superpixels."""

import numpy as np

from FewShotSegmentLib.cli.main import main

SPACING = (4.0, 1.5, 1.5)


def make_body(shape=(6, 72, 80), seed=0):
    """CT: air, a body of fat with two organs and a bone; a speck and a hole."""
    rng = np.random.default_rng(seed)
    _, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")

    def disc(cy, cx, ry, rx):
        return ((y - cy * shape[1]) / (ry * shape[1])) ** 2 + ((x - cx * shape[2]) / (rx * shape[2])) ** 2 < 1

    image = np.full(shape, -1000.0)
    image[disc(0.5, 0.5, 0.42, 0.42)] = -80
    image[disc(0.45, 0.33, 0.2, 0.15)] = 60
    image[disc(0.45, 0.68, 0.18, 0.12)] = 140
    image[disc(0.75, 0.5, 0.1, 0.1)] = 800
    image += rng.normal(0, 4, shape)
    image[:, 36:38, 40:42] = -900  # gas
    image[:, 1:3, 1:3] = 40  # something beside the body
    return image.astype(np.int16)


def superpixels(*arguments):
    try:
        return main(["superpixels", *(str(a) for a in arguments)])
    except SystemExit as end:  # argparse's way
        return end.code
