from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from offramp.compress._nncf import check_installed, import_nncf, quantize_model
from offramp.errors import ExportError, MissingExtra
from quantized import make_small

ALONE = """
import sys
events = []
sys.addaudithook(lambda event, args: events.append((event, args)) if event == "socket.connect" else None)
import numpy as np
from onnx import TensorProto, helper, numpy_helper
weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), "w")
ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in (("i0", 8), ("o0", 4))]
graph = helper.make_graph([helper.make_node("MatMul", ["i0", "w"], ["o0"], name="product")], "g", ports[:1], ports[1:], [weight])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
from offramp.compress._nncf import quantize_model
items = [{"i0": np.random.default_rng(row).normal(size=(1, 8)).astype(np.float32)} for row in range(8)]
made = quantize_model(model, items)
assert any(node.op_type == "QuantizeLinear" for node in made.graph.node)
assert sys.modules.get("openvino_telemetry") is None and not events, events
"""  # noqa: E501  # a script


def test_nothing_is_sent_and_nothing_is_said() -> None:
    """In an interpreter of its own: inside pytest NNCF sends nothing anyway."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_a_model_that_cannot_be_quantized_is_refused() -> None:
    small = make_small()
    with pytest.raises(ExportError, match="NNCF cannot quantize"):
        quantize_model(small.traced["stage0"], [{"another": small.samples.take([0])["x"]}])


def test_without_nncf_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtra, match=r"pip install 'offramp\[int8\]'"):
        import_nncf()
    assert sys.modules.get("openvino_telemetry", "not there") is not None


def test_whether_it_is_installed_is_known_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.delitem(sys.modules, "nncf", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="int8 needs NNCF, but it is not installed"):
        check_installed()
    assert "nncf" not in sys.modules
