"""Methods without learning on another patient: which slices are compared, and where masks come to lie."""

import numpy as np
import pytest

from FewShotSegmentLib import Settings
from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation.method import Across
from FewShotSegmentLib.evaluation.methods.copy_slice import CopySlice
from FewShotSegmentLib.evaluation.methods.demons import Demons
from FewShotSegmentLib.evaluation.methods.flow import FlowChain
from FewShotSegmentLib.evaluation.methods.framing import Supports
from FewShotSegmentLib.images import Geometry

SETTINGS = Settings(long_side=96)


@pytest.fixture(scope="module", params=[CopySlice, Demons, FlowChain], ids=["copy", "demons", "flow"])
def method(request, recipe):
    return request.param(recipe(request.param.__name__.lower()), SETTINGS)


def parts(*ranges, count=14):
    """[z], −1 but where (first, last, part) says otherwise."""
    out = np.full(count, -1)
    for first, last, part in ranges:
        out[first : last + 1] = part
    return out


def test_a_patient_compared_with_itself(method, patients, dice):
    (volume, mask), _ = patients
    question = Across(volume, volume, {7: mask[7]}, parts((7, 7, 7)))
    found = method.across(question).mask
    assert found.dtype == bool and found.shape == mask.shape
    assert dice(found[7], mask[7]) > 0.96  # it goes to the frame's pixels and back
    assert not found[np.arange(14) != 7].any()


def test_only_what_is_asked_for_is_segmented(method, ask):
    found = method.across(ask(4, 9, parts=parts((3, 6, 4), (8, 10, 9)))).mask
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [3, 4, 5, 6, 8, 9, 10]


def test_each_slice_has_the_mask_of_its_part(recipe, ask, patients):
    copy = CopySlice(recipe("copy"), SETTINGS)
    both = copy.across(ask(4, 9, parts=parts((3, 6, 4), (8, 10, 9)))).mask
    one, other = (copy.across(ask(z, parts=parts((0, 13, z)))).mask for z in (4, 9))
    assert (both[3:7] == one[3:7]).all() and (both[8:11] == other[8:11]).all()
    assert (one == one[0]).all() and not (one[0] == other[0]).all()


def test_without_parts_the_nearest_along_the_body_counts(recipe, ask):
    copy = CopySlice(recipe("copy"), SETTINGS)
    found = copy.across(ask(4, 9)).mask
    one, other = (copy.across(ask(z)).mask for z in (4, 9))
    assert (found[:7] == one[:7]).all() and (found[7:] == other[7:]).all()


def test_moving_the_mask_is_better_than_pasting_it(recipe, ask, patients, dice):
    _, (_, mask) = patients
    question = ask(7, parts=parts((5, 9, 7)))
    copied, demons, flow = (
        dice(m(recipe("x"), SETTINGS).across(question).mask[5:10], mask[5:10]) for m in (CopySlice, Demons, FlowChain)
    )
    assert demons > copied + 0.03
    assert flow > copied + 0.03


def test_the_same_at_every_call(method, ask):
    question = ask(4, 9, parts=parts((5, 5, 4), (9, 9, 9)))
    assert (method.across(question).mask == method.across(question).mask).all()


def test_another_grid_and_origin(recipe, ask, patients, dice):
    (volume, mask), _ = patients
    lps = volume.geometry.ijk_to_lps.copy()
    lps[:3, 3] += (300.0, -40.0, 77.0)
    small = type(volume)(volume.image[:, :, 4:52], Geometry((14, 48, 48), lps), "ct")
    copy = CopySlice(recipe("copy"), SETTINGS)
    found = copy.across(Across(small, volume, {7: mask[7]}, parts((7, 7, 7)))).mask
    assert found.shape == (14, 48, 48)
    assert dice(found[7], mask[7][:, 4:52]) > 0.85


def test_slices_on_another_plane(recipe, patients):
    (volume, mask), _ = patients
    order = [1, 0, 2]
    lps = volume.geometry.ijk_to_lps[:, [0, 2, 1, 3]]
    turned = type(volume)(volume.image.transpose(order), Geometry((48, 14, 56), lps), "ct")
    copy = CopySlice(recipe("copy"), SETTINGS)
    refused = copy.across(Across(turned, volume, {7: mask[7]}, np.full(48, 7)))
    assert not refused.mask.any()
    assert refused.note.startswith("The annotated slices of organ lie on another plane")
    straight = copy.across(Across(volume, volume, {7: mask[7]})).mask
    assert (copy.across(Across(turned, volume, {7: mask[7]})).mask == straight.transpose(order)).all()


def test_empty_anchors_are_left_out(method, ask, patients):
    question = ask(7, parts=parts((5, 6, 7), (12, 13, 12)))
    empty = {**question.anchors, 12: np.zeros_like(question.anchors[7])}
    found = method.across(Across(question.query, question.support, empty, question.parts)).mask
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [5, 6]
    answer = method.across(Across(question.query, question.support, {12: empty[12]}, organ="spleen"))
    assert not answer.mask.any()
    assert answer.note == "No annotated slice of spleen has a mask, so there is nothing to look for."


def test_parts_that_do_not_fit_are_said(method, ask):
    assert "Slice 3 of the support" in method.across(ask(7, parts=np.full(14, 3))).note
    assert "3 parts for 14 slices" in method.across(ask(7, parts=[7, 7, 7])).note


def test_a_query_without_contrast_is_said(method, ask, patients):
    question = ask(7)
    flat = type(question.query)(np.zeros((14, 48, 56), np.int16), question.query.geometry, "mr")
    answer = method.across(Across(flat, question.support, question.anchors))
    assert not answer.mask.any()
    assert "the same value everywhere" in answer.note


def test_supports_are_as_collected_ones(ask):
    question = ask(4, 9)
    supports = Supports(SETTINGS)
    support = supports.make(question)
    assert [piece.index for piece in support.slices] == [4, 9]
    assert [piece.count for piece in support.slices] == [14, 14]
    assert (support.name, support.modality, support.source) == ("liver", "ct", None)
    assert support.slices[0].image.dtype == np.float32
    assert [piece.index for piece in supports.make(question, [9]).slices] == [9]
    with pytest.raises(InputError, match="nothing to look for"):
        supports.make(Across(question.query, question.support, {}))
