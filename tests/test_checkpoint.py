"""A run's saved state: what goes in comes out, and what is damaged is refused with a sentence."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings, strategies as st
from torch import Tensor

from vae_core import LIKELIHOODS, RunSpec, load_dataset, train
from vae_core.checkpoint import Checkpoint, Window, load_vae
from vae_core.data import split
from vae_core.errors import CheckpointError
from vae_core.pictures import take_pictures

SPEC = RunSpec(dataset="digits", hidden=(8,), latent_dim=2, epochs=1)


def trained(**changes: Any) -> Checkpoint:
    spec = RunSpec(**{"dataset": "digits", "hidden": (8,), "latent_dim": 2, "epochs": 1, **changes})
    asked = itertools.count()
    # Stopped at step 7, so that the window of curve sums holds steps 5 to 7.
    *_, last = train(spec, load_dataset("digits"), device="cpu", should_stop=lambda: next(asked) >= 7)
    assert last.checkpoint is not None
    return last.checkpoint


CHECKPOINT = trained()
WHOLE = CHECKPOINT.to_bytes()
HEADER = 8 + int.from_bytes(WHOLE[:8], "little")


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_bytes_round_trip(likelihood: str) -> None:
    checkpoint = trained(likelihood=likelihood, seed=3, sigma=0.5, variance_floor=0.01)
    back = Checkpoint.from_bytes(checkpoint.to_bytes())
    assert back.spec.id == checkpoint.spec.id
    assert (back.step, back.window_steps, back.seconds) == (7, 3, checkpoint.seconds)
    assert back.tensors.keys() == checkpoint.tensors.keys()
    for name, tensor in checkpoint.tensors.items():
        assert back.tensors[name].dtype == tensor.dtype, name
        assert torch.equal(back.tensors[name], tensor), name
    assert Checkpoint.from_bytes(back.to_bytes()).step == 7


def test_the_file_is_plain_safetensors_with_readable_facts() -> None:
    """Anybody's tools can read it, and no pickle is in it."""
    tensors = safetensors.torch.load(WHOLE)
    assert {name for name in tensors if name.startswith("model.")} == {
        f"model.{part}.{layer}.{kind}"
        for part in ("encoder", "decoder")
        for layer in (0, 2)
        for kind in ("weight", "bias")
    }
    metadata = json.loads(WHOLE[8:HEADER])["__metadata__"]
    assert json.loads(metadata["spec"]) == CHECKPOINT.spec.to_dict()
    assert json.loads(metadata["facts"])["step"] == 7


def test_a_checkpoint_is_a_copy_and_does_not_change_as_training_goes_on() -> None:
    steps = []
    checkpoints: list[Checkpoint] = []
    for epochs in (1, 2):
        spec = SPEC.with_epochs(epochs)
        resume = checkpoints[-1] if checkpoints else None
        *_, last = train(spec, load_dataset("digits"), device="cpu", resume=resume)
        assert last.checkpoint is not None
        checkpoints.append(last.checkpoint)
        steps.append({name: tensor.clone() for name, tensor in last.checkpoint.tensors.items()})
    for kept, checkpoint in zip(steps, checkpoints):
        assert all(torch.equal(kept[name], checkpoint.tensors[name]) for name in kept)
    assert not torch.equal(steps[0]["model.encoder.0.weight"], steps[1]["model.encoder.0.weight"])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_loaded_vae_decodes_and_encodes_as_the_trained_one(likelihood: str) -> None:
    data = load_dataset("digits")
    spec = RunSpec(dataset="digits", likelihood=likelihood, hidden=(8,), latent_dim=2, epochs=1)
    *_, last = train(spec, data, device="cpu")
    assert last.checkpoint is not None
    vae = load_vae(last.checkpoint.to_bytes())
    assert not vae.training
    # The pictures of the last snapshot were drawn by the model in training; the loaded one draws the same.
    again = take_pictures(vae, torch.from_numpy(data.scaled(split(spec)[1][:6])))
    for name in ("input", "mean", "sample", "prior_mean", "prior_sample"):
        np.testing.assert_array_equal(getattr(again, name), getattr(last.pictures, name), err_msg=name)
    # And by hand, from the numbers in the file.
    state = last.checkpoint.model_state()
    z = torch.tensor([[0.3, -1.2]])
    hidden = (z @ state["decoder.0.weight"].T + state["decoder.0.bias"]).clamp(min=0)
    outputs = hidden @ state["decoder.2.weight"].T + state["decoder.2.bias"]
    if likelihood == "gaussian_shared":
        assert state["shared"] != 0
        outputs = torch.cat([outputs, 20 * state["shared"][None]], -1)
    torch.testing.assert_close(vae.decode(z), outputs)


def test_window_means() -> None:
    window = Window(torch.tensor([-30.0, 6.0], dtype=torch.float64), 4)
    assert window.means() == (-7.5, 1.5)


# ---- damage


def refused(data: bytes) -> bool:
    """Whether both readers refuse these bytes; anything but CheckpointError fails the test that asks."""
    try:
        Checkpoint.from_bytes(data)
    except CheckpointError as error:
        assert "cannot be read" in str(error)
        assert str(error).endswith("train this run again.")
        with pytest.raises(CheckpointError):
            load_vae(data)
        return True
    try:
        load_vae(data)
    except CheckpointError as error:
        assert "do not fit" in str(error)
        assert str(error).endswith("train it again.")
        return True
    return False


def test_the_undamaged_file_is_not_refused() -> None:
    assert not refused(WHOLE)


@given(st.integers(0, len(WHOLE) - 1))
@example(0)
@example(7)
@example(8)
@example(HEADER)
@example(len(WHOLE) - 1)
@settings(max_examples=200)
def test_a_cut_off_file_is_refused(length: int) -> None:
    assert refused(WHOLE[:length])


@given(st.binary(max_size=300))
@example(b"<html>502 Bad Gateway</html>")
@example(b"PK\x03\x04")
@example(b"\x00" * 8)
@example(b"\xff" * 8)
@example(b"\x02" + b"\x00" * 7 + b"{}")
@example(b"\x02" + b"\x00" * 7 + b"[]")
def test_garbage_is_refused(data: bytes) -> None:
    assert refused(data)
    assert refused(b"\x00" + data + WHOLE)
    assert refused(WHOLE + b"\x00" + data)


@given(st.data())
@settings(max_examples=500)
def test_damaged_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Most of the damage goes to the header, where it can do most."""
    damaged = bytearray(WHOLE)
    where = st.integers(0, HEADER - 1) | st.integers(0, len(WHOLE) - 1)
    value = st.sampled_from(b'0129-+eE.,:"{}[] \\nulltrueNaNIF\x00\xff') | st.integers(0, 255)
    for at, byte in data.draw(st.lists(st.tuples(where, value), min_size=1, max_size=4)):
        damaged[at] = byte
    refused(bytes(damaged))


@given(st.integers(HEADER, len(WHOLE) - 1), st.integers(0, 7))
def test_a_flipped_bit_in_a_tensor_is_refused(at: int, bit: int) -> None:
    """safetensors has no checksum: without ours, training would go on from other numbers unseen."""
    damaged = bytearray(WHOLE)
    damaged[at] ^= 1 << bit
    assert refused(bytes(damaged))


def written_by_hand(tensors: dict[str, Tensor]) -> dict[str, str]:
    """The metadata that a whole file with these tensors has."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    facts = '{"step":7,"window_steps":3,"seconds":1}'
    return {"spec": SPEC.canonical_json, "facts": facts, "sha256": sha.hexdigest()}


def with_metadata(**changes: str | None) -> bytes:
    metadata: dict[str, str | None] = {**written_by_hand(CHECKPOINT.tensors)}
    metadata |= changes
    return safetensors.torch.save(CHECKPOINT.tensors, {k: v for k, v in metadata.items() if v is not None})


def test_facts_and_spec_written_by_hand_are_read() -> None:
    assert not refused(with_metadata())  # so the next test's refusals are due to what it changes


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": None},
        {"spec": ""},
        {"spec": "null"},
        {"spec": "[]"},
        {"spec": '"mnist"'},
        {"spec": '{"layers":3}'},
        {"spec": '{"epochs":0}'},
        {"spec": '{"epochs":NaN}'},
        {"spec": '{"epochs":' + "9" * 5000 + "}"},
        {"spec": "[" * 100_000},
        {"spec": '{"a":' * 100_000},
        {"facts": None},
        {"facts": "null"},
        {"facts": "[]"},
        {"facts": "{}"},
        {"facts": '{"step":7,"window_steps":3'},
        {"facts": '{"step":null,"window_steps":3,"seconds":1}'},
        {"facts": '{"step":"seven","window_steps":3,"seconds":1}'},
        {"facts": '{"step":NaN,"window_steps":3,"seconds":1}'},
        {"facts": '{"step":Infinity,"window_steps":3,"seconds":1}'},
        {"facts": '{"step":1e400,"window_steps":3,"seconds":1}'},
        {"facts": '{"step":7,"window_steps":[3],"seconds":1}'},
        {"facts": '{"step":7,"window_steps":3,"seconds":[]}'},
        {"facts": '{"step":7,"window_steps":3,"seconds":' + "9" * 400 + "}"},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_metadata_that_make_no_sense_are_refused(changes: dict[str, str | None]) -> None:
    data = with_metadata(**changes)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Checkpoint.from_bytes(data)
    with pytest.raises(CheckpointError):
        load_vae(data)


def test_a_file_without_metadata_is_refused() -> None:
    assert refused(safetensors.torch.save(CHECKPOINT.tensors))
    assert refused(safetensors.torch.save({}))


@pytest.mark.parametrize(
    "changes",
    [{"hidden": (9,)}, {"hidden": (8, 8)}, {"latent_dim": 3}, {"likelihood": "gaussian_learned"}, {"dataset": "mnist"}],
    ids=str,
)
def test_weights_of_other_shapes_than_the_spec_says_are_refused(changes: dict[str, Any]) -> None:
    spec = RunSpec(**{"dataset": "digits", "hidden": (8,), "latent_dim": 2, "epochs": 1, **changes})
    data = with_metadata(spec=spec.canonical_json)
    assert Checkpoint.from_bytes(data).step == 7
    with pytest.raises(CheckpointError, match="do not fit their own spec"):
        load_vae(data)


@pytest.mark.parametrize("change", ["missing", "renamed", "added", "transposed"])
def test_weights_by_other_names_are_refused(change: str) -> None:
    tensors = dict(CHECKPOINT.tensors)
    name = "model.decoder.0.weight"
    if change == "added":
        tensors["model.decoder.9.weight"] = torch.zeros(2)
    else:
        weight = tensors.pop(name)
        if change == "renamed":
            tensors["model.decoder.zero.weight"] = weight
        elif change == "transposed":
            tensors[name] = weight.T.contiguous()
    metadata = written_by_hand(tensors)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_vae(safetensors.torch.save(tensors, metadata))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["model.encoder.0.weight", "model.decoder.2.bias"])
def test_weights_that_are_no_numbers_are_refused(name: str, value: float) -> None:
    """Whole in every other way, checksum included, so that nothing else refuses them."""
    tensors = {key: tensor.clone() for key, tensor in CHECKPOINT.tensors.items()}
    tensors[name].view(-1)[-1] = value
    data = safetensors.torch.save(tensors, written_by_hand(tensors))
    for reader in (Checkpoint.from_bytes, load_vae):
        with pytest.raises(CheckpointError, match=f"{name.removeprefix('model.')} are not all finite.*train this run"):
            reader(data)


def test_only_weights_are_needed_to_look_at_a_model() -> None:
    """load_vae serves pages, and they have no use for Adam."""
    tensors = {name: tensor for name, tensor in CHECKPOINT.tensors.items() if name.startswith("model.")}
    metadata = written_by_hand(tensors)
    vae = load_vae(safetensors.torch.save(tensors, metadata))
    assert math.isfinite(vae.decode(torch.zeros(1, 2)).sum().item())
