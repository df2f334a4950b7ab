"""From a graph to a graph that gives the same answers: fewer exits, another gate, static parts of it."""

from ._fallback import add_fallback as add_fallback
from ._gate_by import gate_by as gate_by
from ._keep import keep_exits as keep_exits
from ._static import backbone as backbone
from ._static import head_alone as head_alone
from ._static import nothing as nothing
from ._static import static_path as static_path
from ._static_route import static_route as static_route
