"""Which modules a trace keeps whole: torch.nn layers, and those whose work depends on the training mode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import CodeType

from torch import nn
from torch.fx import Graph, Node

Work = Mapping[str, list[str]]  # by module: what its own forward does, its children's left out


def is_layer(module: nn.Module) -> bool:
    """True for a torch.nn layer and what inherits from one, such as a convolution that pads by itself."""
    if isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return False
    return any(kind.__module__.startswith("torch.nn") for kind in type(module).__mro__ if kind is not nn.Module)


def reads_training(module: nn.Module) -> bool:
    """True if the code of the module's forward mentions `training`."""
    code = getattr(type(module).forward, "__code__", None)
    return isinstance(code, CodeType) and _mentions(code, "training")


def find_mode_dependent(training: Work, evaluation: Work) -> set[str]:
    """Dotted names of the modules that do something else in training mode; "" is the model itself."""
    return {path for path in training.keys() | evaluation.keys() if training.get(path) != evaluation.get(path)}


def _mentions(code: CodeType, name: str) -> bool:
    return name in code.co_names or any(
        _mentions(inner, name) for inner in code.co_consts if isinstance(inner, CodeType)
    )


def list_work(graph: Graph, calls: Iterable[tuple[str, str]]) -> Work:
    """What each module's own forward does: the children that it calls, and its operations.

    Args:
        graph: Traced graph.
        calls: Caller and called module of each call; one that does nothing leaves no operation in the graph.

    Returns:
        Descriptions of what is done, by the dotted name of the module.
    """
    work: dict[str, list[str]] = defaultdict(list)
    for caller, called in calls:
        work[caller].append(f"call {called}")
    for node in graph.nodes:
        if node.op not in ("get_attr", "call_module"):
            paths = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
            work[paths[-1] if paths else ""].append(_describe(node))
    return work


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
