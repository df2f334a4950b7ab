"""Weights from files, strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from offramp.errors import WeightsError
from offramp.zoo._weights import infer_classes, load_weights, read_weights


def make_module(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


STATE = make_module().state_dict()


@pytest.mark.parametrize(
    "content",
    [
        dict(STATE),
        {"state_dict": STATE, "best_accuracy": 0.9},
        {"model": prefixed(STATE, "module.")},
        {"model_state_dict": prefixed(prefixed(STATE, "_orig_mod."), "module.")},
    ],
)
@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.th"])
def test_wrappers_and_prefixes_are_taken_off(tmp_path: Path, name: str, content: dict[str, Any]) -> None:
    torch.save(content, tmp_path / name)
    read = read_weights(tmp_path / name)
    assert list(read) == list(STATE)
    torch.testing.assert_close(read["0.weight"], STATE["0.weight"])


def test_safetensors_are_read(tmp_path: Path) -> None:
    safetensors.torch.save_file(STATE, tmp_path / "w.safetensors")
    assert set(read_weights(tmp_path / "w.safetensors")) == set(STATE)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("code.pt", make_module(), "holds code or objects"),
        ("list.pt", [1, 2], "tensors by name"),
        ("mixed.pt", {"a": torch.ones(1), "b": 3}, "tensors by name"),
    ],
)
def test_files_without_plain_weights_are_refused(tmp_path: Path, name: str, content: Any, said: str) -> None:
    torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match=said):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello, I am no weights at all"])
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name} must"):
        read_weights(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pt is none"):
        read_weights(tmp_path / "none.pt")


def test_weights_without_the_counters_of_batch_normalization_fit() -> None:
    module = make_module()
    load_weights(module, {name: value for name, value in STATE.items() if "tracked" not in name}, "w.pt")
    torch.testing.assert_close(module.state_dict()["2.bias"], STATE["2.bias"])


def test_every_kind_of_misfit_is_counted_and_named() -> None:
    state = {"0.weight": torch.ones(9, 2), "0.bias": STATE["0.bias"], "extra": torch.ones(1)}
    with pytest.raises(WeightsError) as caught:
        load_weights(make_module(), state, "w.pt")
    said = str(caught.value)
    assert "6 missing (1.weight, 1.bias, 1.running_mean, ...)" in said
    assert "1 unexpected (extra)" in said
    assert "1 of another shape (0.weight [9, 2] instead of [4, 2])" in said


def test_a_misfit_changes_nothing() -> None:
    module = make_module()
    before = module.state_dict()["0.weight"].clone()
    with pytest.raises(WeightsError):
        load_weights(module, {**STATE, "2.bias": torch.ones(7)}, "w.pt")
    assert torch.equal(module.state_dict()["0.weight"], before)


@pytest.mark.parametrize(
    ("changes", "classes"),
    [
        ({}, None),
        ({"2.weight": torch.ones(7, 4), "2.bias": torch.ones(7)}, 7),
        ({"2.weight": torch.ones(7, 4), "2.bias": torch.ones(8)}, None),
        ({"2.weight": torch.ones(7, 5)}, None),
    ],
)
def test_the_number_of_classes_is_read_from_weights_that_differ_in_nothing_else(
    changes: dict[str, torch.Tensor], classes: int | None
) -> None:
    assert infer_classes(make_module(), {**STATE, **changes}) == classes
