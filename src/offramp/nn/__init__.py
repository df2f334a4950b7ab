"""The few PyTorch parts that every verb needs: one evaluator, the executor, heads and scores."""

from . import heads as heads
from . import scores as scores
from ._basic_block import BasicBlock as BasicBlock
from ._controller import Controller as Controller
from ._evaluate import Values as Values
from ._evaluate import as_tuple as as_tuple
from ._evaluate import evaluate as evaluate
from ._evaluate import gather as gather
from ._executor import Executor as Executor
from ._executor import Outcome as Outcome
from ._layers import build_layers as build_layers
from ._layers import split_table as split_table
from ._merge import Join as Join
from ._merge import Merge as Merge
from ._normalize import Normalize as Normalize
