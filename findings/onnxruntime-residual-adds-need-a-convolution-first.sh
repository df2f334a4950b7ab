#!/usr/bin/env bash
# ONNX Runtime 1.31.1 (CPU) folds the addition of a residual block into the convolution before it only while a chain is in its blocked
# layout, and a chain enters that layout through a convolution alone. If the first shortcut comes from anything else (the
# input of the graph, a Pad, a Gather), no block of the chain is folded, not just the first one: 9 of 9 additions stay, each between two
# changes of layout. One depthwise 1x1 convolution by 1.0 in front, which changes no number, lets all 9 be folded.
# What this prints, and fails if it changes:
#   plain: 0 of 9 additions folded, 18 changes of layout
#   behind a convolution by one: 9 of 9 additions folded, 2 changes of layout
#   largest difference of the answers: 0 of their size (at most 1e-5 where sums run in another order)
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
cd "$folder" && venv/bin/python - <<'PY'
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH, BLOCKS = 16, 9


def chain(behind_convolution):
    """A chain of residual blocks: convolution, Relu, convolution, plus the block's input, Relu."""
    draw, nodes, weights, at = np.random.default_rng(0), [], {}, "x"
    if behind_convolution:
        weights["one"] = np.ones((WIDTH, 1, 1, 1))
        nodes.append(helper.make_node("Conv", ["x", "one"], ["entry"], group=WIDTH))
        at = "entry"
    for block in range(BLOCKS):
        first, second = f"first{block}", f"second{block}"
        weights |= {name: draw.normal(size=(WIDTH, WIDTH, 3, 3)) * 0.05 for name in (first, second)}
        nodes += [
            helper.make_node("Conv", [at, first], [f"a{block}"], pads=[1] * 4),
            helper.make_node("Relu", [f"a{block}"], [f"b{block}"]),
            helper.make_node("Conv", [f"b{block}", second], [f"c{block}"], pads=[1] * 4),
            helper.make_node("Add", [f"c{block}", at], [f"d{block}"]),
            helper.make_node("Relu", [f"d{block}"], [f"e{block}"]),
        ]
        at = f"e{block}"
    graph = helper.make_graph(
        nodes, "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH, 32, 32])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, ["N", WIDTH, 32, 32])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def run(behind_convolution, x):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "optimized.onnx", 3
    session = onnxruntime.InferenceSession(chain(behind_convolution), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load("optimized.onnx").graph.node
    folded = sum(node.op_type == "Conv" and len(node.input) == 4 for node in nodes)  # the fourth input is what is added
    layouts = sum(node.op_type.startswith("Reorder") for node in nodes)
    return folded, layouts, session.run(None, {"x": x})[0]


x = np.random.default_rng(1).normal(size=(2, WIDTH, 32, 32)).astype(np.float32)
plain, behind = run(False, x), run(True, x)
print(f"plain: {plain[0]} of {BLOCKS} additions folded, {plain[1]} changes of layout")
print(f"behind a convolution by one: {behind[0]} of {BLOCKS} additions folded, {behind[1]} changes of layout")
print(f"largest difference of the answers: {np.abs(plain[2] - behind[2]).max() / np.abs(plain[2]).max():.1g} of their size")
assert (plain[0], plain[1]) == (0, 18), "ONNX Runtime folds without a convolution in front now"
assert (behind[0], behind[1]) == (BLOCKS, 2), "a convolution in front helps no more"
assert np.abs(plain[2] - behind[2]).max() <= 1e-5 * np.abs(plain[2]).max()
PY
