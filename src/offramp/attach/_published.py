"""The networks that were published with their exits or control nodes, by name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec

import torch

from offramp.errors import ExportError
from offramp.graph import Graph
from offramp.nn.heads import HeadRecipe
from offramp.zoo import LoadedModel

from . import _branchynet, _d2nn, _eenets, _structures
from ._steps import Attachment, Options, begin, describe_normalize, read_normalize

_P = ParamSpec("_P")
_WEIGHTS = ("trunk", "modules", "normalize")  # arguments that are modules


def _remembered(builder: Callable[_P, Graph]) -> Callable[_P, Graph]:
    """The builder, whose graphs remember what it was called with; unless that cannot be written as JSON."""

    @wraps(builder)
    def build(*args: _P.args, **kwargs: _P.kwargs) -> Graph:
        graph = builder(*args, **kwargs)
        given = inspect.signature(builder).bind(*args, **kwargs).arguments
        if given.get("modules"):
            return graph
        options = {name: _plain(value) for name, value in given.items() if name not in _WEIGHTS}
        try:
            json.dumps(options)
        except TypeError:  # a head of the user's own, or several inputs
            return graph
        step = Published(
            graph=builder.__name__, arguments=options, normalize=describe_normalize(given.get("normalize"))
        )
        return begin(graph, step)

    return build


def _plain(value: Any) -> Any:  # Any: an argument of a builder, and JSON
    """An argument as JSON, where it can be: of an example only the shape of one sample matters."""
    if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
        return tuple(value.shape[1:])
    if isinstance(value, HeadRecipe):
        return {"head": value.to_json()}
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _argument(value: Any) -> Any:  # Any: JSON, and an argument of a builder
    """What `_plain` was given."""
    if isinstance(value, Mapping):
        return HeadRecipe.from_json(value["head"])
    return tuple(map(_argument, value)) if isinstance(value, tuple) else value


b_lenet = _remembered(_branchynet.b_lenet)
b_alexnet = _remembered(_branchynet.b_alexnet)
b_resnet = _remembered(_branchynet.b_resnet)
res_eenet = _remembered(_eenets.res_eenet)
vgg_eenet = _remembered(_eenets.vgg_eenet)
dense_eenet = _remembered(_eenets.dense_eenet)
d2nn = _remembered(_d2nn.d2nn)
d2nn_high_low = _remembered(_structures.d2nn_high_low)
d2nn_cascade = _remembered(_structures.d2nn_cascade)
d2nn_chain = _remembered(_structures.d2nn_chain)
d2nn_hierarchy = _remembered(_structures.d2nn_hierarchy)

# By name: the builder of a graph; all arguments are optional, but for those of `d2nn`, and all JSON-able, but for
# `trunk`, `modules` and `normalize`.
GRAPHS: dict[str, Callable[..., Graph]] = {
    "b_lenet": b_lenet,
    "b_alexnet": b_alexnet,
    "b_resnet": b_resnet,
    "res_eenet": res_eenet,
    "vgg_eenet": vgg_eenet,
    "dense_eenet": dense_eenet,
    "d2nn": d2nn,
    "d2nn_high_low": d2nn_high_low,
    "d2nn_cascade": d2nn_cascade,
    "d2nn_chain": d2nn_chain,
    "d2nn_hierarchy": d2nn_hierarchy,
}


@dataclass(frozen=True, kw_only=True)
class Published(Attachment):
    """A builder of `GRAPHS` as a step; it needs no network.

    Attributes:
        graph: Name of the builder.
        arguments: What it was called with, but for modules.
        normalize: Mean and standard deviation per channel, or None.
    """

    name: ClassVar[str] = "published"
    networks: ClassVar[int] = 0
    graph: str
    arguments: Options
    normalize: Options | None

    def __call__(self, networks: Sequence[LoadedModel] = ()) -> Graph:
        """The graph, with fresh weights."""
        if self.graph not in GRAPHS:
            raise ExportError(
                f"published graphs are {', '.join(GRAPHS)}, but the artifact is of {self.graph!r}. Update."
            )
        arguments = {name: _argument(value) for name, value in self.arguments.items()}
        return GRAPHS[self.graph](**arguments, normalize=read_normalize(self.normalize))
