"""Checkpoints of the published code: what is read, what is refused, and in which words."""

import os

import pytest
import torch
from safetensors.torch import save_file

from FewShotSegmentLib.errors import InputError, WeightsError
from FewShotSegmentLib.networks import build, from_reference_checkpoint


class Code:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture(scope="module")
def state():
    """A published DSPNet's state dictionary, on a smaller encoder and with a matrix that was learned."""
    torch.manual_seed(5)
    network = build("dspnet-published", encoder="resnet18")
    torch.nn.init.normal_(network.regulation.cal)
    return {name.replace("regulation.", "cls_unit."): tensor for name, tensor in network.state_dict().items()}


def read(source, method="dspnet", **settings):
    return from_reference_checkpoint(source, method, encoder="resnet18", **settings)


def equal(network, state):
    own = network.encoder.state_dict()
    return all(torch.equal(own[name], state[f"encoder.{name}"]) for name in own)


def test_state_dictionary(state):
    network = read(state)
    assert not network.training
    assert equal(network, state)


def test_the_matrix_is_restored_only_if_asked(state):
    learned, initial = state["cls_unit.cal"], build("dspnet-published", encoder="resnet18").regulation.cal
    assert torch.equal(read(state).regulation.cal, initial)
    assert torch.equal(read(state, restore_matrix=True).regulation.cal, learned)
    without = {name: tensor for name, tensor in state.items() if name != "cls_unit.cal"}
    assert torch.equal(read(without).regulation.cal, initial)
    with pytest.raises(WeightsError, match=r"lacks 1 entry: cls_unit\.cal\."):
        read(without, restore_matrix=True)


def test_settings_reach_the_network(state):
    network = read(state, alpha=0.5, neighbours=(0.1, 0.9, 0.1))
    assert network.alpha == 0.5
    assert network.regulation.cal[1, :3].tolist() == pytest.approx([0.1, 0.9, 0.1])


def test_alpnet(state):
    own = {name: tensor for name, tensor in state.items() if name != "cls_unit.cal"}
    assert equal(read(own, "alpnet"), state)
    with pytest.raises(WeightsError, match=r"unknown 1 entry: cls_unit\.cal"):
        read(state, "alpnet")
    with pytest.raises(InputError, match="learned matrix"):
        read(own, "alpnet", restore_matrix=True)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("ending", "wrapper"),
    [(".pth", None), (".pth", "state_dict"), (".pth", "model"), ("old.pth", "model"), (".safetensors", None)],
)
def test_files(tmp_path, state, wrapper, prefix, ending):
    path = tmp_path / f"weights{ending}"
    saved = {prefix + name: tensor for name, tensor in state.items()}
    if ending == ".safetensors":
        save_file(saved, path)
    else:
        content = {wrapper: saved, "epoch": 3} if wrapper else saved
        torch.save(content, path, _use_new_zipfile_serialization=ending == ".pth")
    assert equal(read(path), state)
    assert equal(read(str(path)), state)


def test_layers_that_are_never_used_are_passed_over(state):
    unused = {"encoder.asppconv.weight": torch.zeros(1), "encoder.aspp_out.0.convs.0.0.weight": torch.zeros(2, 2)}
    assert equal(read({**state, **unused}), state)


def test_missing_entries_are_named_and_counted(state):
    with pytest.raises(WeightsError, match=r"lacks 1 entry: encoder\.localconv\.weight\."):
        read({name: tensor for name, tensor in state.items() if name != "encoder.localconv.weight"})
    with pytest.raises(WeightsError, match=r"lacks \d\d entries: encoder\.backbone\.layer4\.0\.conv1\.weight, .*, …\."):
        read({name: tensor for name, tensor in state.items() if "layer4" not in name})


def test_unexpected_entries_are_named(state):
    with pytest.raises(WeightsError, match=r"unknown 2 entries: decoder\.weight, decoder\.bias\."):
        read({**state, "decoder.weight": torch.zeros(1), "decoder.bias": torch.zeros(1)})


@pytest.mark.parametrize("name", ["encoder.localconv.weight", "cls_unit.cal"])
def test_wrong_shapes_are_named(state, name):
    with pytest.raises(WeightsError, match=rf"wrong shape in 1 entry: {name} \(\[2, 3\], it should be \[256"):
        read({**state, name: torch.zeros(2, 3)})


@pytest.mark.parametrize("content", [{}, [1, 2], {"state_dict": {}}, {"encoder.localconv.weight": "none"}])
def test_what_is_no_state_dictionary(content):
    with pytest.raises(WeightsError):
        read(content)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_run(tmp_path, state, zipped):
    trace = tmp_path / "trace"
    path = tmp_path / "weights.pth"
    content = {**state, "extra": Code(f"echo > {trace}")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="refused: .* could run code"):
        read(path)
    assert not trace.exists()


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_damaged_files(tmp_path, state, ending, damage):
    path = tmp_path / f"weights{ending}"
    small = {"encoder.localconv.weight": state["encoder.localconv.weight"]}
    if ending == ".pth":
        torch.save(small, path)
    else:
        save_file(small, path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"these are no weights"}[damage])
    with pytest.raises(WeightsError, match="damaged"):
        read(path)


def test_not_a_file(tmp_path):
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(WeightsError, match="no checkpoint file"):
            read(path)


def test_unknown_method(state):
    with pytest.raises(InputError, match="dspnet, alpnet"):
        read(state, "panet")
