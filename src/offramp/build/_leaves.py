"""Which modules a trace keeps whole: torch.nn layers, and those whose work depends on the training mode."""

from __future__ import annotations

from collections import defaultdict
from types import CodeType

from torch import nn
from torch.fx import Graph, Node

_CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)


def is_layer(module: nn.Module) -> bool:
    """True for a torch.nn layer and what inherits from one, such as a convolution that pads by itself."""
    if isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return False
    return any(kind.__module__.startswith("torch.nn") for kind in type(module).__mro__ if kind not in _CONTAINERS[:1])


def reads_training(module: nn.Module) -> bool:
    """True if the code of the module's forward mentions `training`."""
    code = getattr(type(module).forward, "__code__", None)
    return isinstance(code, CodeType) and _mentions(code, "training")


def find_mode_dependent(training: Graph, evaluation: Graph) -> set[str]:
    """Dotted names of the modules that do something else in training mode; "" is the model itself."""
    here, there = _work_by_module(training), _work_by_module(evaluation)
    return {path for path in here.keys() | there.keys() if here.get(path) != there.get(path)}


def _mentions(code: CodeType, name: str) -> bool:
    return name in code.co_names or any(
        _mentions(inner, name) for inner in code.co_consts if isinstance(inner, CodeType)
    )


def _work_by_module(graph: Graph) -> dict[str, list[str]]:
    """For each module the operations of its own forward, those of its children left out."""
    work = defaultdict(list)
    for node in graph.nodes:
        if node.op != "get_attr":
            work[_owner(node)].append(_describe(node))
    return work


def _owner(node: Node) -> str:
    paths = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    if node.op == "call_module":  # the last one is the called module; its caller is the owner
        paths = paths[:-1]
    return paths[-1] if paths else ""


def _describe(node: Node) -> str:
    """The operation without the names of other nodes, which are counted up and differ between traces."""
    blank = dict.fromkeys(node.all_input_nodes, "%")
    args = _blanked(node.args, blank)
    return f"{node.op} {node.target} {args} {_blanked(node.kwargs, blank)}"


def _blanked(value: object, blank: dict[Node, str]) -> object:
    if isinstance(value, Node):
        return blank[value]
    if isinstance(value, (tuple, list)):
        return [_blanked(item, blank) for item in value]
    if isinstance(value, dict):
        return {key: _blanked(item, blank) for key, item in value.items()}
    return value
