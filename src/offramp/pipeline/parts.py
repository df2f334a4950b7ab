"""The parts of the way, one by one: for benchmarks, and for whoever puts them together in another order.

`offramp.optimize` runs them all. Here are the engine with its settings, the files of one run, the clock, what each part
of a network costs on it, and what is decided from all that. Loads PyTorch; `offramp.pipeline.folders` does not.
"""

from ._batches import draw_batches as draw_batches
from ._batches import record_latency as record_latency
from ._batches import warm as warm
from ._chain import Chosen as Chosen
from ._chain import answer_in_float as answer_in_float
from ._chain import costs_by_score as costs_by_score
from ._chain import gates_by_score as gates_by_score
from ._clock import Timing as Timing
from ._clock import time_network as time_network
from ._exports import Exports as Exports
from ._optimize import decide_on as decide_on
from ._precision import INT8_FALLBACK as INT8_FALLBACK
from ._precision import VariantResult as VariantResult
from ._precision import back_up as back_up
from ._precision import choose_precision as choose_precision
from ._precision import evaluate as evaluate
from ._price import price as price
from ._problem import Problem as Problem
from ._request import Request as Request
from ._screen import Screen as Screen
