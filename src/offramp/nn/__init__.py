"""The few PyTorch parts that every verb needs: heads, scores and the executor."""

from . import heads as heads
from . import scores as scores
from ._basic_block import BasicBlock as BasicBlock
from ._controller import Controller as Controller
from ._executor import Executor as Executor
from ._executor import Outcome as Outcome
from ._layers import build_layers as build_layers
from ._layers import split_table as split_table
from ._merge import Join as Join
from ._merge import Merge as Merge
from ._normalize import Normalize as Normalize
from ._quantized_body import QuantizedBody as QuantizedBody
from ._quantized_body import in_float as in_float
