"""Which methods there are, and what is said where one cannot be had."""

import importlib.util
import pickle

import pytest

from FewShotSegmentLib.errors import InputError, WeightsError
from FewShotSegmentLib.evaluation import methods
from FewShotSegmentLib.evaluation.methods import demons
from FewShotSegmentLib.evaluation.methods.base import Base, need

WITHIN = ["copy", "demons", "flow", "grow", "fill", "engine"]
ACROSS = ["copy", "demons", "flow", "prototype", "alpnet", "dspnet-published", "dspnet", "pipeline"]


def names(recipes):
    return [recipe.name for recipe in recipes]


@pytest.fixture
def absent(monkeypatch):
    """Makes modules look as if they were not installed."""
    found = importlib.util.find_spec

    def hide(*modules):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in modules else found(name, *a))

    return hide


@pytest.fixture
def extra():
    methods.register("halves", make_halves, "Halves", ("within",))


def make_halves(recipe):
    return Base(recipe, note=f"made with {dict(recipe.options).get('device', 'nothing')}")


def test_all_usual_methods_of_a_task():
    assert names(methods.recipes(None, "within")) == WITHIN
    assert names(methods.recipes(None, "across", {})) == ACROSS


def test_names_in_the_order_asked_for_and_once():
    assert names(methods.recipes(["flow", "copy", "flow"], "within")) == ["flow", "copy"]


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"no method “deamons”; there are: copy, demons, flow, grow, fill, engine\."):
        methods.recipes(["deamons"], "within", {})


def test_methods_that_cannot_do_a_task_are_refused():
    with pytest.raises(InputError, match="“grow” cannot segment another patient's volume; those that can are: copy"):
        methods.recipes(["grow"], "across", {})
    with pytest.raises(InputError, match="“dspnet” cannot carry slices"):
        methods.recipes(["dspnet"], "within", {})


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match="no option “wieghts”; they have: device, weights, weights:prototype"):
        methods.recipes(None, "across", {"wieghts": "x"})


def test_a_recipe_has_its_own_options_only_and_can_be_pickled():
    options = {"device": "cpu", "weights:dspnet": "folder", "weights:alpnet": "other"}
    copy, dspnet = methods.recipes(["copy", "dspnet"], "across", options)
    assert copy.options == {}
    assert dspnet.options == {"device": "cpu", "weights:dspnet": "folder"}
    assert pickle.loads(pickle.dumps(dspnet)) == dspnet


def test_what_is_not_installed_is_said_in_the_recipe_and_when_it_is_made(absent):
    absent("cv2", "slicer")
    recipes = {recipe.name: recipe for recipe in methods.recipes(None, "within", {})}
    assert recipes["flow"].missing == (
        "This method needs the package opencv-python-headless; "
        "install the extra with: pip install 'fewshotsegment[evaluate]'"
    )
    assert "slicer-core" in recipes["grow"].missing
    assert recipes["fill"].missing == recipes["grow"].missing
    assert [name for name in recipes if not recipes[name].missing] == ["copy", "demons", "engine"]
    with pytest.raises(InputError, match="opencv-python-headless"):
        methods.make(recipes["flow"])


def test_a_module_that_cannot_be_imported_is_a_sentence():
    with pytest.raises(InputError, match="needs the package no_such_module; install the extra"):
        need("no_such_module.part")


def test_the_untrained_network_wants_weights():
    (plain,) = methods.recipes(["conditional"], "across", {})
    (given,) = methods.recipes(["conditional"], "across", {"weights:conditional": "folder"})
    assert "give weights" in plain.missing
    assert given.missing == ""


def test_made_by_name(recipe):
    (made,) = [methods.make(recipe) for recipe in methods.recipes(["demons"], "within", {})]
    assert isinstance(made, demons.Demons)
    assert (made.name, made.title, made.parameters, set(made.tasks)) == ("demons", "demons", 0, {"within", "across"})
    with pytest.raises(InputError, match="no method “other”"):
        methods.make(recipe("other"))


def test_weights_that_are_not_there_are_a_sentence(tmp_path):
    (recipe,) = methods.recipes(["engine"], "within", {"weights": str(tmp_path / "none")})
    with pytest.raises(WeightsError, match="There are no weights"):
        methods.make(recipe)


def test_extras_come_last_and_get_all_options(extra):
    assert names(methods.recipes(None, "within", {})) == [*WITHIN, "halves"]
    assert names(methods.recipes(None, "across", {})) == ACROSS
    (recipe,) = methods.recipes(["halves"], "within", {"device": "cpu"})
    assert methods.make(recipe).note == "made with cpu"
    assert (recipe.title, recipe.tasks) == ("Halves", ("within",))


def test_extras_do_not_replace_the_packages_methods():
    with pytest.raises(InputError, match="a method called “copy” already"):
        methods.register("copy", make_halves)


def test_makers_of_extras_must_be_found_by_name():
    with pytest.raises(InputError, match="must be a function of a module"):
        methods.register("nameless", lambda recipe: None)


def test_what_a_method_does_not_do_is_a_sentence(recipe, moving):
    method = Base(recipe("idle", "across"))
    with pytest.raises(InputError, match="“idle” cannot carry slices"):
        method.read(moving[0])
    with pytest.raises(InputError, match="“idle” cannot segment another"):
        method.across(None)
