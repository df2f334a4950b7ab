"""Runs files with ONNX Runtime on the CPU; by default as stages lifted from the file, which it optimizes better."""

from ._runtime import OnnxDense as OnnxDense
from ._runtime import OnnxRuntime as OnnxRuntime
from ._runtime import OnnxValues as OnnxValues
from ._runtime import load as load
from ._runtime import load_dense as load_dense
from ._runtime import load_values as load_values
from ._runtime import make_fusible as make_fusible
from ._runtime import network_alone as network_alone
from ._runtime import translated as translated
