"""From a graph to a graph that gives the same answers: fewer exits, another gate, static parts of it."""

from ._fallback import AddFallback as AddFallback
from ._fallback import add_fallback as add_fallback
from ._gate_by import GateBy as GateBy
from ._gate_by import gate_by as gate_by
from ._in_float import in_float as in_float
from ._keep import KeepExits as KeepExits
from ._keep import keep_exits as keep_exits
from ._replace_bodies import replace_bodies as replace_bodies
from ._static import backbone as backbone
from ._static import head_alone as head_alone
from ._static import nothing as nothing
from ._static import static_path as static_path
from ._static_route import static_route as static_route
