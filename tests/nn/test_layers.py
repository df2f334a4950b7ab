"""Networks written as tables."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from examples import some
from offramp.errors import OptionError
from offramp.nn import build_layers
from offramp.nn._layers import split_table

MAP = (3, 12, 12)
WORDS = [
    "conv 1x1 5", "conv 3x3 4 pad 1", "conv 3x3 6 stride 2 pad 1", "pool 2", "pool 3/2", "avgpool 2/1", "relu", "bn",
    "lrn", "block 9", "block 9 stride 2", "dropout 0.5", "flatten", "fc 7",
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "given", "shape"),
    [
        ("", MAP, MAP),
        ("conv 5x5 10 pad 3", (1, 28, 28), (10, 30, 30)),
        ("conv 3x3 8 stride 2", MAP, (8, 5, 5)),
        ("pool 2", (1, 17, 17), (1, 9, 9)),  # Chainer's cover_all
        ("pool 3/2", (1, 16, 16), (1, 8, 8)),
        ("pool 3/2", (1, 2, 2), (1, 1, 1)),
        ("pool 3/2 | pool 3/2", (1, 3, 1), (1, 1, 1)),  # a window is at most the whole map
        ("avgpool 6/1", (64, 8, 8), (64, 3, 3)),
        ("avgpool 1/2", (64, 15, 15), (64, 8, 8)),
        ("fc 84 | relu | bn | dropout 0.5", (720,), (84,)),
        ("block 32 stride 2", (16, 15, 15), (32, 8, 8)),
    ],
)
def test_shapes_are_those_of_the_papers(table: str, given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    layers, found = build_layers(table, given)
    assert found == shape
    assert layers(torch.rand(2, *given)).shape == (2, *shape)


def test_layers_are_named_by_their_words_and_numbers() -> None:
    layers, _ = build_layers("conv 3x3 4 | relu\nconv 3x3 4 | relu | fc 5 | fc 3", MAP)
    names = ["conv1", "relu1", "conv2", "relu2", "flatten1", "fc1", "fc2"]
    assert [name for name, _ in layers.named_children()] == names
    assert "fc2.bias" in layers.state_dict()


@settings(deadline=None, max_examples=some(40))
@given(st.lists(st.sampled_from(WORDS), max_size=5))
def test_the_shape_is_what_the_layers_give_in_training_mode(words: list[str]) -> None:
    try:
        layers, shape = build_layers(" | ".join(words), MAP)
    except OptionError:
        assume(False)  # too small a map, or a map where a vector is
    assert all(layer.training for layer in layers)
    assert layers(torch.rand(2, *MAP)).shape == (2, *shape)
    assert len([layer for layer in layers if not isinstance(layer, nn.Flatten)]) == len(words) - words.count("flatten")


def test_fresh_batch_statistics_are_untouched() -> None:
    layers, _ = build_layers("bn", MAP)
    assert layers.bn1.num_batches_tracked == 0  # type: ignore[union-attr]  # known here


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("covn 3x3 4", "must be one of conv, .* Did you mean 'conv'"),
        ("conv 3x5 4", "written like 'conv 3x3 64 stride 2 pad 1', but got 'conv 3x5 4'"),
        ("conv 3x3 4 pad 1 stride 2", "written like"),
        ("conv 3x3 0", "written like"),
        ("relu 3", "written like 'relu'"),
        ("dropout 1.5", "written like 'dropout 0.5'"),
        ("fc 5 | conv 3x3 4", r"'conv 3x3 4' cannot read features \(5,\)"),
        ("conv 15x15 4", "does not fit features"),
        ("block 2", "cannot drop channels"),
        ("flatten | take 1, 2", "written like 'take 2 0 1'"),
    ],
)
def test_a_layer_that_is_written_wrong_is_refused(table: str, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        build_layers(table, MAP)


def test_bars_and_line_ends_separate_layers() -> None:
    assert split_table("\n pool  2 | relu\nfc 3 |\n") == ["pool 2", "relu", "fc 3"]


def test_dropout_drops_the_given_share() -> None:
    torch.manual_seed(0)
    layers, _ = build_layers("dropout 0.25", (10_000,))
    # three standard errors of a share of 0.25 in 10,000
    assert float((layers(torch.ones(1, 10_000)) == 0).float().mean()) == pytest.approx(0.25, abs=0.013)
