from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offramp.errors import OptionError
from offramp.pipeline import Engine


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_an_engine_loads_a_file_with_its_settings(finished: Any, name: str) -> None:
    runtime = Engine(name=name).load(finished.folder / "model.onnx")
    assert (runtime.engine, runtime.precision, runtime.threads) == (name, "f32", 1)
    assert runtime({"x": np.zeros((2, 1, 28, 28), np.float32)}).logits.shape == (2, 10)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "abacus"}, r"engine\.name abacus \(openvino or onnxruntime\)"),
        ({"precision": "f64"}, r"engine\.precision f64 \(auto, f32"),
        ({"threads": 0}, r"engine\.threads 0 \(1 to"),
        ({"batch": 0, "threads": 0}, r"threads 0 .*batch 0 "),
        ({"name": "onnxruntime", "precision": "bf16"}, "onnxruntime computes in f32 and int8"),
    ],
)
def test_settings_that_no_engine_has_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Engine(**given)
