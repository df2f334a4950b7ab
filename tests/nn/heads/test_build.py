"""From a recipe to a head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from offramp.errors import OptionError
from offramp.nn.heads import HeadRecipe, build_head

PICTURE, TOKENS, VECTOR = (6, 10, 10), (7, 12), (9,)
FITTING = [
    *[(kind, PICTURE) for kind in ("auto", "light", "pool", "conv0", "conv1", "conv2", "conv3")],
    *[(kind, TOKENS) for kind in ("auto", "light", "pool", "token")],
    *[(kind, VECTOR) for kind in ("auto", "light", "pool", "conv0", "conv3", "token")],
]


@pytest.mark.parametrize(("kind", "shape"), FITTING)
def test_every_fitting_head_gives_logits(kind: str, shape: tuple[int, ...]) -> None:
    assert build_head(HeadRecipe(kind), shape, 4)(torch.randn(3, *shape)).shape == (3, 4)


@pytest.mark.parametrize(("kind", "shape"), FITTING)
def test_a_batch_gives_what_its_samples_give_one_by_one(kind: str, shape: tuple[int, ...]) -> None:
    head, features = build_head(HeadRecipe(kind), shape, 4).eval(), torch.randn(3, *shape)
    single = torch.cat([head(features[row : row + 1]) for row in range(3)])
    # Sums in another order.
    torch.testing.assert_close(head(features), single, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("light", (4, 20, 20)), ("pool", PICTURE), ("conv2", PICTURE), ("token", TOKENS), ("light", VECTOR)],
)
def test_its_onnx_form_gives_the_same_at_every_batch_size(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    head = build_head(HeadRecipe(kind), shape, 4).eval()
    torch.onnx.export(
        head, (torch.randn(2, *shape),), tmp_path / "head.onnx", input_names=["x"], opset_version=18, dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 5):
        features = torch.randn(count, *shape)
        (given,) = session.run(None, {"x": features.numpy()})
        np.testing.assert_allclose(given, head(features).detach().numpy(), atol=1e-4)


def test_square_maps_with_channels_last_are_recognized() -> None:
    head = build_head(HeadRecipe("conv1"), (8, 8, 5), 4)
    assert head(torch.randn(2, 8, 8, 5)).shape == (2, 4)
    assert any(weight.shape == (5, 5, 3, 3) for weight in head.parameters())


def test_an_unknown_kind_is_refused_with_the_closest_name() -> None:
    with pytest.raises(OptionError, match="Did you mean 'light'"):
        build_head(HeadRecipe("lite"), PICTURE, 4)


@pytest.mark.parametrize(("kind", "shape"), [("conv2", TOKENS), ("token", PICTURE)])
def test_a_kind_that_cannot_read_the_features_is_refused_with_those_that_can(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"cannot read features .* Use one of auto"):
        build_head(HeadRecipe(kind), shape, 4)


@pytest.mark.parametrize("options", [{"depth": 3}, {"repeats": 2}, {"width": 0}, {"width": "8"}, {"width": True}])
def test_wrong_options_are_refused(options: dict[str, int | str]) -> None:
    with pytest.raises(OptionError, match="options"):
        build_head(HeadRecipe("light", **options), PICTURE, 4)


def test_one_class_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 2 classes"):
        build_head(HeadRecipe("pool"), PICTURE, 1)
