from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offramp.errors import OptionError
from offramp.pipeline._engine import Engine


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_an_engine_loads_a_file_with_its_settings(finished: Any, name: str) -> None:
    runtime = Engine(name=name).load(finished.folder / "model.onnx")
    assert (runtime.engine, runtime.precision, runtime.threads) == (name, "f32", 1)
    assert runtime({"x": np.zeros((2, 1, 28, 28), np.float32)}).logits.shape == (2, 10)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(OptionError, match="abacus"):
        Engine(name="abacus")
