"""What every score must do, as tests to inherit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from offramp.nn.scores import FittedScore, Score, Targets

_CLASSES = 5
Array = NDArray[np.float32]


class ScoreContract:
    """Tests of one score: inherit, name the class so that pytest collects it, and override `make`.

    Attributes:
        shape: Of what the score reads in front of the logits, for one sample: features, unless it says otherwise.

    Example:
        >>> from offramp.nn.scores import Margin
        >>> class TestMargin(ScoreContract):
        ...     def make(self, shape, classes):
        ...         return Margin()
        >>> TestMargin().test_it_gives_one_float32_per_sample()
    """

    shape: ClassVar[tuple[int, ...]] = (4, 6, 6)

    def make(self, shape: tuple[int, ...], classes: int) -> Any:  # Any: an nn.Module that is also a Score
        """A new score for features [B, *shape] and logits [B, classes]."""
        raise NotImplementedError

    def test_it_declares_a_name_and_a_direction(self) -> None:
        """The caller never has to know which way is surer."""
        kind = type(self.make(self.shape, _CLASSES))
        assert isinstance(kind.name, str)
        assert kind.name.isidentifier()  # part of node names and of output names in the file
        assert kind.direction in ("higher", "lower")

    def test_it_gives_one_float32_per_sample(self) -> None:
        """Also where there are earlier heads."""
        features, logits = self._batch(7)
        given = self._fitted()(features, logits, logits.flip(1))
        assert given.shape == (7,)
        assert given.dtype == torch.float32

    def test_its_extremes_stop_all_and_none(self) -> None:
        """Also at logits so large that the softmax is exactly 0 and 1, and at equal ones."""
        score = self._fitted()
        features, logits = self._batch(6)
        given = score(features, logits * torch.tensor([0.0, 1e-3, 1.0, 10.0, 1e3, 1e4])[:, None])
        assert bool(_stops(score, given, float(score.stop_all)).all())
        assert not bool(_stops(score, given, float(score.stop_none)).any())

    def test_a_batch_gives_what_its_samples_give_one_by_one(self) -> None:
        """Up to rounding: 1e-5, since a matrix product adds up in an order that depends on the batch."""
        score = self._fitted()
        features, logits = self._batch(5)
        single = torch.cat([score(features[row : row + 1], logits[row : row + 1]) for row in range(5)])
        torch.testing.assert_close(score(features, logits), single, atol=1e-5, rtol=1e-5)

    def test_nan_logits_never_stop(self) -> None:
        """A comparison with NaN is false in both directions."""
        score = self._fitted()
        features, logits = self._batch(3)
        given = score(features, logits * torch.nan)
        assert not bool(_stops(score, given, float(score.stop_all)).any())

    def test_it_keeps_no_state_between_calls(self) -> None:
        """Two calls with the same inputs give the same, whatever came between."""
        score = self._fitted()
        features, logits = self._batch(4)
        first = score(features, logits)
        score(features.flip(0), logits.flip(0))
        assert torch.equal(score(features, logits), first)

    def test_its_state_survives_saving(self) -> None:
        """Whatever is fitted is in parameters or buffers."""
        score, fresh = self._fitted(), self.make(self.shape, _CLASSES)
        fresh.load_state_dict(score.state_dict())
        features, logits = self._batch(4)
        assert torch.equal(fresh.eval()(features, logits), score(features, logits))

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_its_onnx_form_gives_the_same_at_every_batch_size(self, engine: str) -> None:
        """Up to 1e-5, since the engine's exponential is another one."""
        score = self._fitted()
        run = _load(score, engine, self._batch(2))
        for count in (1, 3, 8):
            features, logits = self._batch(count)
            given = run(features.numpy(), logits.numpy())
            np.testing.assert_allclose(given, score(features, logits).detach().numpy(), atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_its_onnx_form_never_stops_nan_logits(self, engine: str) -> None:
        """An engine's maximum or comparison may treat NaN in its own way."""
        score = self._fitted()
        features, logits = self._batch(3)
        logits[1] = torch.nan
        stops = _stops(
            score,
            torch.from_numpy(_load(score, engine, self._batch(2))(features.numpy(), logits.numpy())),
            score.stop_all,
        )
        assert stops.tolist() == [True, False, True]

    def _fitted(self) -> Any:  # Any: as `make`
        score = self.make(self.shape, _CLASSES).eval()
        if isinstance(score, FittedScore):
            features, logits = self._batch(64)
            answers = logits.argmax(dim=1)
            targets = Targets(classes=answers.clamp(min=1), answers=answers)  # nobody else gives class 0
            score.fit(score.collect(features, logits), targets)
        return score

    def _batch(self, count: int) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(count)
        return torch.randn(count, *self.shape, generator=random), 3 * torch.randn(count, _CLASSES, generator=random)


def _stops(score: Score, given: Tensor, threshold: float) -> Tensor:
    return given >= threshold if score.direction == "higher" else given < threshold


class _TwoInputs(nn.Module):
    """Hides `*earlier`, so that the exporter sees names for what there is."""

    def __init__(self, score: nn.Module) -> None:
        super().__init__()
        self.score = score

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        # Reads the features in any case: an input that nothing reads would be dropped from the file.
        given: Tensor = self.score(features, logits)
        return given + 0 * features.reshape(features.shape[0], -1).sum(dim=1)


def _load(score: nn.Module, engine: str, example: tuple[Tensor, Tensor]) -> Callable[[Array, Array], Array]:
    """The score as an engine computes it from features and logits."""
    batch = torch.export.Dim.DYNAMIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "score.onnx"
        torch.onnx.export(
            _TwoInputs(score).eval(), example, path, input_names=["features", "logits"], opset_version=18,
            dynamic_shapes={"features": {0: batch}, "logits": {0: batch}}, dynamo=True, verbose=False,
        )  # fmt: skip
        if engine == "openvino":
            model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            return lambda features, logits: model({"features": features, "logits": logits})[0]
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda features, logits: session.run(None, {"features": features, "logits": logits})[0]
