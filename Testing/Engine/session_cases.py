"""What the tests of sessions share: anchors in words, and results that are put together and compared."""

import numpy as np

ABSENT = "absent"
REDRAWN = "redrawn"
DRAWN = "drawn"


def anchors_of(organ, described, axis=0):
    """{slice: mask} of {slice: DRAWN, REDRAWN or ABSENT}."""
    stack = np.moveaxis(organ.mask, axis, 0)
    masks = {
        DRAWN: lambda i: stack[i],
        REDRAWN: lambda i: np.roll(stack[7], 5, axis=1),
        ABSENT: lambda i: np.zeros_like(stack[i]),
    }
    return {i: masks[how](i) for i, how in described.items()}


def drawn(*indices):
    return dict.fromkeys(indices, DRAWN)


def changed(before, after):
    return {i for i in before.keys() | after.keys() if before.get(i) != after.get(i)}


def composed(old, new):
    """What a user has after a correction: the new result where it is renewed, else the old one."""
    parts = {}
    for name in ("mask", "probability", "slice_confidence"):
        axis = 0 if name == "slice_confidence" else old.axis
        whole = np.moveaxis(getattr(old, name).copy(), axis, 0)
        for first, last in new.renewed:
            whole[first : last + 1] = np.moveaxis(getattr(new, name), axis, 0)[first : last + 1]
        parts[name] = np.moveaxis(whole, 0, axis)
    return parts


def assert_same(found, expected):
    """Bit for bit; `found` is a result or what `composed` gives."""
    for name in ("mask", "probability", "slice_confidence"):
        own = found[name] if isinstance(found, dict) else getattr(found, name)
        np.testing.assert_array_equal(own, getattr(expected, name), err_msg=name)


def assert_untouched_elsewhere(result):
    outside = np.ones(len(result.slice_confidence), bool)
    for first, last in result.renewed:
        outside[first : last + 1] = False
    for array in (result.mask, result.probability):
        assert not np.moveaxis(array, result.axis, 0)[outside].any()
    assert (result.slice_confidence[outside] == 1).all()
    assert not set(result.slices) & set(np.flatnonzero(outside))
