"""Stages and heads in 8 bits: what the engine gains from, and what the answers do not suffer from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import onnx
from torch import nn

from offramp.errors import ExportError, GraphError, OptionError
from offramp.graph import Graph, Pass, find_ancestors
from offramp.nn import QuantizedBody, gather
from offramp.run import Samples, fits_in_one_file

from ._agreement import OnnxBody, agreements
from ._ends import float_kernels
from ._nncf import quantize_model
from ._noise import PRODUCTS, Given, Layer, rank_layers, restore, spare
from ._reach import find_items, float_values

Array = np.ndarray[Any, np.dtype[Any]]  # any shape, any dtype
CALIBRATION = 300  # samples, if there are so many: as NNCF takes
JUDGED = 512
SCANNED = 64  # samples by which layers are compared
EASED = 4  # times less than it may is what a body may change before its worst layers stay in float
LITTLE, MUCH = 0.03, 0.25  # of a body's work that may stay in float: usually, and where it changes too much
HEADS = 5  # times as much as the final exit an early one may change: thresholds are chosen afterwards, and weigh it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How the answers suffer from one body in 8 bits, all others in float.

    Attributes:
        name: Of its node.
        agreement: Share of samples on which the final exit answers as in float; of a head, on which its exits do.
        kept: "int8", "part" if some of its layers stay in float, or "float".
        in_float: Those layers, by the names of their ONNX nodes.
        noise: Share of the squared error of its outputs that went with them, each by itself.
    """

    name: str
    agreement: float
    kept: str
    in_float: tuple[str, ...] = ()
    noise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Quantized(Pass):
    """Bodies in 8 bits as a pass: the graph that it makes holds them in the place of those in float.

    Attributes:
        bodies: ONNX models by name of their node, of those that were quantized.
        sensitivity: Of each body that could be.
        agreement: By exit, the share of samples on which it answers as in float, everything quantized.
        weights: By name of the node, how many weights its body had in float; empty in files that did not say so yet.
    """

    name: ClassVar[str] = "quantize"
    bodies: Mapping[str, onnx.ModelProto]
    sensitivity: tuple[Sensitivity, ...] = ()
    agreement: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)

    def requires(self, graph: Graph) -> None:
        """Refuse a graph without these bodies in float.

        Raises:
            GraphError: So it is.
        """
        for name, model in self.bodies.items():
            body = graph.bodies.get(name)
            if not isinstance(body, nn.Module) or isinstance(body, QuantizedBody):
                raise GraphError(
                    f"what is quantized must be a PyTorch body in float, but {name!r} is {type(body).__name__}. "
                    "Quantize the graph that the ranges were found on."
                )
            if len(model.graph.input) != len(graph[name].inputs):
                raise GraphError(
                    f"{name!r} must read {len(model.graph.input)} tensors as it did when it was quantized, but reads "
                    f"{len(graph[name].inputs)}. Quantize this graph anew."
                )
            if count_weights(body) != self.weights.get(name, count_weights(body)):
                raise GraphError(
                    f"{name!r} must have {self.weights[name]:,} weights as it had when it was quantized, but has "
                    f"{count_weights(body):,}. Quantize this graph anew."
                )

    def apply(self, graph: Graph) -> Graph:
        """The graph with bodies in 8 bits."""
        made = {name: QuantizedBody(model, _module(graph, name)) for name, model in self.bodies.items()}
        return graph.with_bodies(made) if made else graph

    def to_json(self) -> tuple[dict[str, Any], dict[str, Array]]:  # Any: JSON
        """As every step; each body is an array of bytes, the ONNX model as its file would be."""
        options = {
            "bodies": {name: {"$tensor": f"bodies/{name}"} for name in self.bodies},
            "sensitivity": [asdict(one) for one in self.sensitivity],
            "agreement": dict(self.agreement),
            "weights": dict(self.weights),
        }
        arrays = {
            f"bodies/{name}": np.frombuffer(model.SerializeToString(deterministic=True), np.uint8)
            for name, model in self.bodies.items()
        }
        return {"pass": self.name, "options": options}, arrays

    @classmethod
    def from_json(cls, data: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:  # Any: JSON
        """The pass that `to_json` described."""
        told = data["options"]
        return cls(
            bodies={
                name: onnx.load_from_string(arrays[one["$tensor"]].tobytes()) for name, one in told["bodies"].items()
            },
            sensitivity=tuple(
                Sensitivity(**{**one, "in_float": tuple(one["in_float"])}) for one in told["sensitivity"]
            ),
            agreement=dict(told["agreement"]),
            weights=dict(told.get("weights", {})),
        )

    @property
    def float_kernels(self) -> dict[str, list[str]]:
        """By body, its convolutions in 8 bits that ONNX Runtime computes in float all the same, where there are any.

        An activation that it cannot make part of a convolution, such as SiLU, or logits that are not rounded.
        """
        found = {name: float_kernels(body) for name, body in self.bodies.items()}
        return {name: layers for name, layers in found.items() if layers}


def count_weights(body: nn.Module) -> int:
    """Number of trained numbers of a body.

    Args:
        body: A body in float.

    Returns:
        How many numbers its parameters hold.
    """
    return sum(weight.numel() for weight in body.parameters())


def _module(graph: Graph, name: str) -> nn.Module:
    body = graph.bodies[name]
    assert isinstance(body, nn.Module), "required above"
    return body


def quantize(  # noqa: PLR0913  # what is quantized, and by which samples
    graph: Graph,
    traced: Mapping[str, onnx.ModelProto],
    samples: Samples,
    *,
    judge: Samples | None = None,
    max_change: float = 0.01,
    only: Collection[str] | None = None,
    seed: int = 0,
) -> Quantized:
    """The pass that gives convolutions and matrix products of stages and heads 8 bits, after training.

    Ranges come from what reaches each body on a few hundred samples. Each body is then judged by itself. If the final
    exit answers some samples differently, the layers stay in float that spoil the body's outputs most for what they
    cost: up to 3 % of its work, up to a quarter if too many answers change, and all of it if they still do. A
    head is judged by its own exits, less strictly: thresholds are chosen on the quantized network, and let leave whom
    it is sure of. Scores, gates and normalization are never touched.

    Args:
        graph: In float, trained.
        traced: Its bodies as ONNX, as `export.onnx.trace` gives them; bodies that are not here stay in float.
        samples: Unlabeled, for the ranges; 300 of them are drawn.
        judge: Others, for the answers, since a network is too sure of what it learned from; 512 are drawn.
        max_change: Share of the final exit's answers that one body may change; of an early exit's five times as many.
        only: Names of the nodes to quantize; all if None, none changes nothing.
        seed: Of the draws.

    Returns:
        The pass: called with the graph, it gives one whose bodies compute in 8 bits, as its exported file will.

    Raises:
        OptionError: `max_change` is not a share, or `only` names something else than these bodies.
        ExportError: A body cannot be quantized.
        MissingExtra: NNCF is not installed.

    Reference:
        Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3 (post-training quantization) and
        3.7 (sensitivity, one part at a time); NNCF sets the ranges.
    """
    if not 0 <= max_change <= 1:
        raise OptionError(f"max_change must be a share between 0 and 1, but is {max_change}. For one percent: 0.01.")
    names = _names(graph, traced, only)
    if not names:
        return Quantized(bodies={}, sensitivity=())
    check_sizes(graph, names)
    items = find_items(graph, _draw(samples, CALIBRATION, seed), names)
    judged = _draw(judge or samples, JUDGED, seed)
    whole = {name: quantize_model(traced[name], items[name]) for name in names}
    alone = agreements(graph, judged, {name: {name: OnnxBody(whole[name])} for name in names})
    scan = _Scan(graph=graph, traced=traced, whole=whole, judged=judged)
    bodies: dict[str, onnx.ModelProto] = {}
    table = []
    for name in names:
        exits = _judges(graph, name)
        limit = max_change if exits == [len(graph.exits) - 1] else min(1.0, HEADS * max_change)
        told = Sensitivity(name=name, agreement=float(alone[name][exits].min()), kept="int8")
        told, body = _ease(told, scan, exits, limit)
        table.append(told)
        bodies |= {} if body is None else {name: body}
    total = agreements(graph, judged, {"all": {name: OnnxBody(body) for name, body in bodies.items()}})["all"]
    agreement = {exit.name: float(one) for exit, one in zip(graph.exits, total, strict=True)}
    weights = {name: count_weights(_module(graph, name)) for name in bodies}
    return Quantized(bodies=bodies, sensitivity=tuple(table), agreement=agreement, weights=weights)


def check_sizes(graph: Graph, only: Collection[str] | None = None) -> None:
    """Refuse bodies that are too large to be quantized: NNCF takes each as one ONNX file, which holds less than 2 GB.

    Args:
        graph: In float, trained or not.
        only: Names of the nodes to quantize; all if None.

    Raises:
        ExportError: Some are too large.
    """
    never = _deciding(graph)
    large = {
        name: sum(weight.nbytes for weight in body.parameters())
        for name, body in graph.bodies.items()
        if isinstance(body, nn.Module) and (only is None or name in only) and name not in never
    }
    told = [f"{name!r} has {size / 1e9:.2f} GB" for name, size in large.items() if not fits_in_one_file(size)]
    if told:
        raise ExportError(
            f"8 bits need parts of a network with less than 2 GB of weights each, but {', '.join(told)}. "
            "Choose another precision, or exits in between."
        )


def products(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that an engine is faster at in 8 bits."""
    return [node.name for node in model.graph.node if node.op_type in PRODUCTS]


def _judges(graph: Graph, name: str) -> list[int]:
    """Which exits say whether a body suffers: the final one, or if it does not read the body those that do."""
    paths = [find_ancestors(graph, exit.name, through_control=False) for exit in graph.exits]
    reading, final = [at for at, path in enumerate(paths) if name in path], len(paths) - 1
    return [final] if final in reading or not reading else reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """What bodies with some layers in float are made from and judged by."""

    graph: Graph
    traced: Mapping[str, onnx.ModelProto]
    whole: Mapping[str, onnx.ModelProto]
    judged: Samples

    def rank(self, name: str) -> list[Layer]:
        """The layers of a body, those first that spoil most for what they cost."""
        judged = self.judged.subset(slice(SCANNED))
        given: list[Given] = [tuple(gather(values, self.graph[name])) for values in float_values(self.graph, judged)]
        return rank_layers(self.traced[name], self.whole[name], given)

    def judge(self, name: str, body: onnx.ModelProto, exits: Sequence[int]) -> float:
        """The least share of answers that stay."""
        return float(agreements(self.graph, self.judged, {name: {name: OnnxBody(body)}})[name][exits].min())


def _ease(
    told: Sensitivity, scan: _Scan, exits: Sequence[int], limit: float
) -> tuple[Sensitivity, onnx.ModelProto | None]:
    """What is said of a body, and what becomes of it; None if it stays in float."""
    name, body = told.name, scan.whole[told.name]
    if told.agreement >= 1 - limit / EASED:
        return told, body
    layers = scan.rank(name)
    for budget in (LITTLE, MUCH):
        in_float = spare(layers, budget)
        if in_float and in_float != told.in_float:
            body = restore(scan.whole[name], scan.traced[name], in_float)
            noise = sum(layer.noise for layer in layers if layer.name in in_float)
            agreement = scan.judge(name, body, exits)
            told = replace(told, kept="part", agreement=agreement, in_float=in_float, noise=noise)
        if told.agreement >= 1 - limit:
            return told, body
    return replace(told, kept="float", in_float=(), noise=0.0), None


def _names(graph: Graph, traced: Mapping[str, onnx.ModelProto], only: Collection[str] | None) -> list[str]:
    """The bodies to quantize, in graph order."""
    never = _deciding(graph)
    able = [
        node.name
        for node in graph.nodes
        if node.kind == "function"
        and node.name not in never
        and not isinstance(graph.bodies.get(node.name), QuantizedBody)
        and node.name in traced
        and products(traced[node.name])
    ]
    unknown = sorted(set(only or ()) - set(able))
    if unknown:
        raise OptionError(f"only bodies with layers can be quantized ({', '.join(able)}), but {unknown} are named.")
    return able if only is None else [name for name in able if name in only]


def _deciding(graph: Graph) -> set[str]:
    """Names of what costs next to nothing and decides: control nodes, scores and ensembles. It stays in float."""
    scores = {score.name for exit in graph.exits for score in exit.scores.values()}
    ensembles = {exit.name for exit in graph.exits if exit.name != exit.head.name}
    return {node.name for node in graph.controls} | scores | ensembles


def _draw(samples: Samples, most: int, seed: int) -> Samples:
    order = np.random.default_rng(seed).permutation(len(samples))[:most]
    return samples.subset(np.sort(order))
