"""Names, options, cost."""

import pickle
import time

import numpy as np
import pytest
from protocol_cases import make_cases

from FewShotSegmentLib.errors import Cancelled, DeviceError, InputError
from FewShotSegmentLib.evaluation import protocols
from FewShotSegmentLib.evaluation.method import Answer
from FewShotSegmentLib.evaluation.protocols import asked as asked_module
from FewShotSegmentLib.evaluation.protocols import disturb
from FewShotSegmentLib.evaluation.protocols.asked import asked
from FewShotSegmentLib.evaluation.protocols.options import Options

NOTHING = Answer(np.zeros((2, 3, 3), bool))


def test_there_are_five_protocols_and_each_says_what_it_does():
    assert protocols.names() == ("published", "whole-volume", "one-slice", "interactive", "robustness")
    for name in protocols.names():
        protocol = protocols.make(name)
        assert protocol.name == name and protocol.title
        assert protocol.task == ("across" if name in ("published", "whole-volume") else "within")
        assert protocol.explanation.endswith(".") and len(protocol.explanation) > 150


def test_protocols_go_to_other_processes():
    for name in protocols.names():
        protocol = pickle.loads(pickle.dumps(protocols.make(name, {"seed": 3})))
        cases = make_cases(5)
        works = protocol.work(cases, ["m"], [])
        assert works == protocols.make(name, {"seed": 3}).work(cases, ["m"], [])
        assert len({work.key for work in works}) == 5
        assert pickle.loads(pickle.dumps(works[0])) == works[0]


def test_options_have_defaults_and_take_texts():
    assert Options.read({}) == Options() == Options.read({"folds": None, "organs": None})
    assert Options().rounds == 10 and Options().anchors == (1, 2, 3, 5) and Options().setting == "1"
    read = Options.read(
        {
            "setting": 2,
            "folds": ["3", "1"],
            "anchors": "5, 1",
            "strategies": ["random", "proposed"],
            "disturbances": "blur",
            "seed": "4",
            "tolerance_mm": "1.5",
            "organs": "liver, spleen",
        }
    )
    assert read.setting == "2" and read.folds == (1, 3) and read.anchors == (1, 5) and read.seed == 4
    assert read.strategies == ("proposed", "random") and read.disturbances == ("blur",)
    assert read.tolerance_mm == 1.5 and read.organs == ("liver", "spleen")
    assert Options.read({"folds": 3}).folds == Options.read({"folds": "3"}).folds == 3
    assert Options.read({"folds": "0,2"}).folds == (0, 2)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("round", 3, "no option “round”; there are: setting, "),
        ("setting", "3", "knows no “3”; there are: 1, 2"),
        ("rounds", 0, "“rounds” has to be a whole number, 1 or more, not “0”"),
        ("rounds", 1.5, "not “1.5”"),
        ("rounds", "many", "not “many”"),
        ("folds", 1, "2 or more"),
        ("folds", ["-1"], "0 or more"),
        ("anchors", [4], "knows no “4”; there are: 1, 2, 3, 5"),
        ("strategies", [], "is empty; there are: proposed, worst, random"),
        ("disturbances", ["fog"], "knows no “fog”; there are: noise, blur"),
        ("tolerance_mm", 0, "a length in mm above 0"),
        ("tolerance_mm", "wide", "not “wide”"),
        ("seed", -1, "0 or more"),
    ],
)
def test_wrong_options_are_said_in_a_sentence(option, value, sentence):
    with pytest.raises(InputError, match=sentence):
        protocols.make("published", {option: value})


def test_an_unknown_protocol_is_said_with_those_there_are():
    with pytest.raises(InputError, match="no protocol “best”; there are: published, whole-volume"):
        protocols.make("best")


def test_time_and_memory_of_an_answer_are_measured():
    def call():
        # larger than what the allocator keeps of freed memory (256 MiB), which other tests may have left
        block = np.ones(300 << 20, np.uint8)
        time.sleep(0.05)
        del block
        return NOTHING

    found = asked(call, (2, 3, 3))
    assert found.answer is NOTHING and not found.failed and found.seconds >= 0.05
    assert found.peak_mb > 250
    assert asked(lambda: NOTHING, (2, 3, 3)).peak_mb < 20


def test_without_psutil_there_is_no_memory_and_all_else(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(asked_module.importlib, "import_module", missing)
    found = asked(lambda: NOTHING, (2, 3, 3))
    assert found.peak_mb == 0 and found.seconds > 0 and found.answer is NOTHING


def test_errors_for_the_user_are_failures_and_others_are_not():
    def fails(error):
        def call():
            raise error

        return asked(call, (2, 3, 3))

    found = fails(DeviceError("The device has too little memory."))
    assert found.failed and found.answer.note == "The device has too little memory." and not found.answer.mask.any()
    with pytest.raises(Cancelled):
        fails(Cancelled())
    with pytest.raises(ZeroDivisionError):
        fails(ZeroDivisionError())


def test_a_confidence_has_to_be_one_for_each_slice():
    with pytest.raises(ValueError, match="not one value for 2 slices"):
        asked(lambda: Answer(NOTHING.mask, np.zeros(3)), (2, 3, 3))


def test_a_missing_scipy_is_said(monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "scipy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'fewshotsegment\[evaluate\]'"):
        disturb.ndimage()
