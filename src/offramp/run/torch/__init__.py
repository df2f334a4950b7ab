"""Runs graphs with PyTorch, on any device: for training, for checks, and where no other engine is."""

from ._runtime import SHAPES as SHAPES
from ._runtime import TorchDense as TorchDense
from ._runtime import TorchRuntime as TorchRuntime
from ._runtime import load as load
from ._runtime import load_dense as load_dense
