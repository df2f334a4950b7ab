"""One door for all kinds of models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from offramp.errors import CaptureError, OptionError, WeightsError
from offramp.zoo import load_model
from offramp.zoo._load import SOURCES
from offramp.zoo._sources import KINDS

HERE = "offramp.zoo._mlp:mlp"


def test_a_model_comes_in_eval_mode_with_an_example_that_it_answers() -> None:
    loaded = load_model("zoo:resnet20")
    assert not loaded.module.training
    assert isinstance(loaded.example, Tensor)
    assert loaded.example.shape == (2, 3, 32, 32)
    assert loaded.classes == 10
    assert loaded.input_names == ("x",)


def test_a_seed_repeats_the_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (load_model("zoo:mlp", seed=seed).module.state_dict()["1.weight"] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_of_another_number_of_classes_rebuild_the_network_for_them(tmp_path: Path) -> None:
    module = load_model("zoo:lenet5", arguments={"classes": 4}).module
    torch.save(module.state_dict(), tmp_path / "w.pt")
    loaded = load_model("zoo:lenet5", weights=tmp_path / "w.pt", seed=1)
    assert loaded.classes == 4
    assert loaded.arguments == {"classes": 4}
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in loaded.module.state_dict().items())


def test_classes_that_were_asked_for_are_kept(tmp_path: Path) -> None:
    torch.save(load_model("zoo:lenet5", arguments={"classes": 4}).module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="2 of another shape"):
        load_model("zoo:lenet5", weights=tmp_path / "w.pt", arguments={"classes": 5})


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(load_model("zoo:mlp").module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"10 missing .* 8 unexpected"):
        load_model("zoo:lenet5", weights=tmp_path / "w.pt")


def test_code_needs_a_shape() -> None:
    with pytest.raises(OptionError, match="Give the shape of a sample"):
        load_model(HERE)
    assert load_model(HERE, shape=(1, 28, 28)).shapes == {"x": (1, 28, 28)}


def test_a_shape_that_does_not_suit_the_network_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"inputs \[\[2, 3, 5, 5\]\], but raised RuntimeError"):
        load_model("zoo:lenet5", shape=(3, 5, 5))


class Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_an_answer_without_logits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.zoo._mlp.mlp", Wrong)
    with pytest.raises(CaptureError, match=r"logits \[2, K\], K >= 2, but gave \[2, 1, 4, 4\]"):
        load_model(HERE, shape=(1, 4, 4))


def test_every_kind_that_errors_name_exists() -> None:
    assert tuple(SOURCES) == KINDS
