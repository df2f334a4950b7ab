"""From the text of a D2NN to its graph."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from offramp.capture import Example, Inputs, read_example
from offramp.errors import GraphError, OptionError, suggest
from offramp.graph import DataEdge, Graph, Node, Tensor
from offramp.nn import Merge, Normalize, build_layers, split_table

from ._notation import DUMMY, Line, Read, parse_lines

_ROWS = 2  # of the example that are run, as for a capture
_NORMALIZE = "normalize"
_UNKNOWN = Tensor(shape=(1,))  # stands for every tensor until bodies have run


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What a line gives for the example; a select has no body."""

    value: torch.Tensor
    body: nn.Module | None


def d2nn(
    table: str,
    example: Example | Sequence[int],
    *,
    modules: Mapping[str, nn.Module] | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """A network whose control nodes choose, for each sample, which of its other nodes run.

    One line per node, in any order: its name, what it reads, its layers as `nn.build_layers` reads them, and for a
    control node the nodes that it opens.

    - `n2: n1 | conv 3x3 16 | relu` is a regular node.
    - `q1: n1 | fc 8 | relu -> n2, n3` is a control node; its last layer, linear to its edges, is not written.
    - `q1: n1 -> n2, dummy`: the second edge opens a dummy node, so nothing runs.
    - `n4: n2=0 + n3=0` reads the sum of both, with 0 for what did not run; a node runs only if all that it reads ran
      or has such a default value.
    - `n4: n2=0, n3=0` reads them one behind the other.
    - `n4: n2 or n3` is a select node: it is the first of them that ran.
    - A line without a name, such as `| fc 2`, goes on with the layers of the one before it.

    The input is called "x" (those of a dictionary by their keys). The answer is the one node that no other reads. The
    paper's restrictions hold: the out-edges of a node are all data or all control edges, and a node that is opened by a
    control edge opens none itself. Weights come from PyTorch's global generator.

    Args:
        table: The lines, as above.
        example: A few samples, batch first: shapes are found by running everything on them. A sequence of whole numbers
            is the shape of one sample.
        modules: Body of each node that has no layers, by name; it takes all that the node reads, and is copied.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph, whose control nodes are trained by `learn.q`.

    Raises:
        OptionError: A line or a layer that is written wrong, or a body that cannot read what comes in.
        GraphError: A broken restriction, a cycle, a name that does not exist, a select or an answer that may be null.

    Example:
        >>> graph = d2nn('''
        ...     n1: x  | fc 4 | relu
        ...     q1: n1 -> n2, n3
        ...     n2: n1 | fc 16 | relu | fc 3
        ...     n3: n1 | fc 3
        ...     answer: n2 or n3
        ... ''', torch.zeros(2, 8))
        >>> graph.exits, graph["q1"].edges
        (('n2', 'n3'), ('n2', 'n3'))

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, section on the definition of a D2NN.
    """
    inputs = _read_inputs(example)
    lines = _sort(parse_lines(table), inputs.names)
    own = dict(modules or {})
    if normalize is not None:
        lines, own[_NORMALIZE] = _normalized(lines, inputs.names[0]), normalize
    _check(lines, inputs, own)
    answer = _find_answer(lines, inputs.names)
    Graph(
        nodes=tuple(_nodes(lines, inputs.names, {}, own)), answer=answer
    )  # all laws but those of shapes, before a run
    results = _run(lines, inputs, own)
    tensors = {name: _describe(value) for name, value in zip(inputs.names, inputs.tensors, strict=True)}
    tensors |= {name: _describe(result.value) for name, result in results.items()}
    return Graph(
        nodes=tuple(_nodes(lines, inputs.names, tensors, own)),
        answer=answer,
        bodies={name: result.body for name, result in results.items() if result.body is not None},
    )


def _sort(lines: Sequence[Line], inputs: Sequence[str]) -> tuple[Line, ...]:
    """The lines such that each comes after all that it needs, else in their order; what is in a cycle comes last."""
    opener = {target: line.name for line in lines for target in line.targets}
    needs = {line.name: {read.name for read in line.reads} | {opener.get(line.name, line.name)} for line in lines}
    waiting, done = list(lines), list[Line]()
    while waiting:
        missing = {line.name for line in waiting}
        ready = next((line for line in waiting if not (needs[line.name] - {line.name}) & missing), waiting[0])
        waiting.remove(ready)
        done.append(ready)
    return tuple(done)


def _read_inputs(example: Example | Sequence[int]) -> Inputs:
    """The example's inputs; their names without dots, which mean something in names of weights."""
    if isinstance(example, list | tuple) and example and all(isinstance(size, int) for size in example):
        example = torch.zeros(1, *example)
    inputs = read_example(example).rows(_ROWS)  # type: ignore[arg-type]  # it refuses what is no example
    return replace(inputs, names=tuple(name.replace(".", "_") for name in inputs.names))


def _normalized(lines: Sequence[Line], first: str) -> tuple[Line, ...]:
    """The lines behind one that normalizes the first input."""
    return (
        Line(name=_NORMALIZE, reads=(Read(name=first),), join="concat"),
        *(
            replace(line, reads=tuple(replace(read, name=_NORMALIZE) if read.name == first else read
                                      for read in line.reads))
            for line in lines
        ),
    )  # fmt: skip


def _check(lines: Sequence[Line], inputs: Inputs, modules: Mapping[str, nn.Module]) -> None:
    """Refuse what the paper forbids, or what the graph would complain about in other words than the text's."""
    unknown = [name for name in modules if name not in {line.name for line in lines}]
    if unknown:
        raise OptionError(
            f"modules must belong to nodes of the text, but {unknown[0]!r} does not. "
            f"{suggest(unknown[0], [line.name for line in lines])}"
        )
    offenses = [offense for line in lines for offense in _offenses(line, {each.name: each for each in lines}, modules)]
    if offenses:
        raise GraphError("; ".join(offenses) + ".")


def _offenses(line: Line, known: Mapping[str, Line], modules: Mapping[str, nn.Module]) -> Iterator[str]:
    for read in line.reads:
        if read.name in known and known[read.name].targets:
            yield (
                f"a node's out-edges are all data or all control edges, but {line.name!r} reads the control node "
                f"{read.name!r}: let it read what {read.name!r} reads"
            )
    for target in line.targets:
        if target in known and known[target].targets:
            yield (
                f"a node with an incoming control edge has no outgoing ones, but {line.name!r} opens the control node "
                f"{target!r}: let {target!r} read a node that {line.name!r} opens"
            )
    if len(line.targets) == 1:
        yield f"a control node chooses among at least two edges, but {line.name!r} has one: add dummy"
    if line.name in modules and (line.layers.strip() or line.join == "first"):
        yield f"a node has layers or a module, but {line.name!r} has a module and is no plain line: leave one of them"


def _find_answer(lines: Sequence[Line], inputs: Sequence[str]) -> str:
    """The node that no other reads; where names are wrong any will do, because the graph will complain of those."""
    read = {read.name for line in lines for read in line.reads}
    opened = {target for line in lines for target in line.targets}
    ends = [line.name for line in lines if line.name not in read and not line.targets]
    if len(ends) > 1 and read | opened <= {*(line.name for line in lines), *inputs, DUMMY}:
        raise GraphError(
            f"one node must be read by no other, the answer, but {', '.join(ends)} are all unread: write such as "
            f"'answer: {' or '.join(ends)}'."
        )
    return ends[-1] if ends else lines[-1].name


def _run(lines: Sequence[Line], inputs: Inputs, modules: Mapping[str, nn.Module]) -> dict[str, _Result]:
    """Bodies, and what they give for the example, all of them on all samples."""
    values = dict(zip(inputs.names, inputs.tensors, strict=True))
    results: dict[str, _Result] = {}
    for line in lines:
        given = [values[read.name] for read in line.reads]
        if line.join == "first":
            results[line.name] = _Result(value=given[0], body=None)
        else:
            body = _body(line, given, modules.get(line.name)).eval()
            results[line.name] = _Result(value=_call(line, body, given), body=body)
        values[line.name] = results[line.name].value
    return results


def _body(line: Line, given: Sequence[torch.Tensor], module: nn.Module | None) -> nn.Module:
    if module is not None:
        return copy.deepcopy(module)
    assert line.join != "first"
    ending = f" | fc {len(line.targets)}" if line.targets else ""
    read = given[0] if len(given) == 1 else _join(line, given)
    layers, _ = build_layers(line.layers + ending, tuple(read.shape[1:]))
    return layers if len(given) == 1 else Merge(line.join, layers)


def _join(line: Line, given: Sequence[torch.Tensor]) -> torch.Tensor:
    shapes = [tuple(tensor.shape[1:]) for tensor in given]
    fixed = [shape[1:] if line.join == "concat" else shape for shape in shapes]
    if len({(len(shape), rest) for shape, rest in zip(shapes, fixed, strict=True)}) > 1:
        shown = ", ".join(f"{read.name} {list(shape)}" for read, shape in zip(line.reads, shapes, strict=True))
        word = "alike" if line.join == "sum" else "alike but for their first axis"
        raise OptionError(f"what {line.name!r} joins must be {word}, but is {shown}. Change the layers before it.")
    assert line.join != "first"
    joined: torch.Tensor = Merge(line.join, nn.Identity())(*given)
    return joined


def _call(line: Line, body: nn.Module, given: Sequence[torch.Tensor]) -> torch.Tensor:
    try:
        with torch.no_grad():
            value = body(*given)
    except Exception as error:  # a module of the user's may raise anything on what does not suit it
        shapes = [list(tensor.shape) for tensor in given]
        raise OptionError(
            f"the module of {line.name!r} must read {shapes}, but raised {type(error).__name__}: {error}. Change it."
        ) from error
    wanted = f"[{_ROWS}, {len(line.targets)}]" if line.targets else f"[{_ROWS}, ...]"
    if not isinstance(value, torch.Tensor) or len(value) != _ROWS or (
        line.targets and value.shape != (_ROWS, len(line.targets))
    ):  # fmt: skip
        got = list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise OptionError(f"the module of {line.name!r} must give a tensor {wanted}, but gave {got}. Change it.")
    return value


def _nodes(
    lines: Sequence[Line], inputs: Sequence[str], tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module]
) -> Iterator[Node]:
    """All nodes; where nothing has run yet, all tensors look alike."""
    for name in inputs:
        yield Node(name=name, kind="input", outputs=(tensors.get(name, _UNKNOWN),))
    for line in lines:
        reads = tuple(DataEdge(source=read.name, default=read.fill) for read in line.reads)
        outputs = (tensors.get(line.name, _UNKNOWN),)
        recipe = _recipe(line, modules.get(line.name))
        if line.join == "first":
            yield Node(name=line.name, kind="select", inputs=reads, outputs=outputs)
        elif line.targets:
            edges = tuple(
                f"{line.name}/{DUMMY}{at}" if target == DUMMY else target for at, target in enumerate(line.targets)
            )
            yield Node(name=line.name, kind="control", inputs=reads, edges=edges, role="controller", recipe=recipe)
            yield from (Node(name=edge, kind="dummy") for edge in edges if edge not in line.targets)
        else:
            role = _NORMALIZE if line.name == _NORMALIZE else "regular"
            yield Node(name=line.name, kind="function", inputs=reads, outputs=outputs, role=role, recipe=recipe)


def _recipe(line: Line, module: nn.Module | None) -> dict[str, Any]:  # Any: JSON
    if line.name == _NORMALIZE and isinstance(module, Normalize):
        return {"mean": module.mean.tolist(), "std": module.std.tolist()}
    if module is not None:
        return {"kind": "module", "options": {}}
    return {"join": line.join, "layers": " | ".join(split_table(line.layers))}


def _describe(value: torch.Tensor) -> Tensor:
    return Tensor(shape=tuple(value.shape[1:]), dtype=str(value.dtype).removeprefix("torch."))
