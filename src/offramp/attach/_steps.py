"""Steps that begin a graph: from networks, or from nothing but options."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from offramp.capture import Answer
from offramp.graph import Graph, History, Step
from offramp.nn import Normalize
from offramp.nn.heads import HeadRecipe
from offramp.zoo import LoadedModel

from ._chain import Head

Options = Mapping[str, Any]  # Any: JSON


class Attachment(Step):
    """A frozen dataclass that makes a graph of networks: what each function of `attach` does, with all its options.

    Options are plain data, so that a file can hold them; rules such as "linear" have become names of cut points.

    Attributes:
        networks: How many networks it takes.
    """

    networks: ClassVar[int]

    @property
    def answer(self) -> Answer:
        """Which output of its networks holds the logits, where that had to be said."""
        told = getattr(self, "logits", None)
        return Answer() if told is None else read_answer(told)

    @abstractmethod
    def __call__(self, networks: Sequence[LoadedModel]) -> Graph:
        """The graph of these networks, with fresh weights in all that is attached."""


def begin(graph: Graph, step: Attachment) -> Graph:
    """The graph, which remembers the step that it began with."""
    return replace(graph, history=History(steps=(step,), nodes=graph.nodes))


def are_recipes(heads: Sequence[Head]) -> bool:
    """Whether heads can be made again; modules of the user's cannot."""
    return not any(isinstance(head, nn.Module) for head in heads)


def describe_head(head: Head) -> dict[str, Any]:  # Any: JSON
    """The options from which a head can be made again."""
    assert not isinstance(head, nn.Module), "asked before"
    return (head if isinstance(head, HeadRecipe) else HeadRecipe.parse(head)).to_json()


def read_heads(heads: Sequence[Options]) -> list[HeadRecipe]:
    """The heads that `describe_head` described."""
    return [HeadRecipe.from_json(head) for head in heads]


def describe_normalize(normalize: Normalize | None) -> dict[str, tuple[float, ...]] | None:
    """Mean and standard deviation per channel; None for no normalization."""
    if normalize is None:
        return None
    return {"mean": tuple(normalize.mean.tolist()), "std": tuple(normalize.std.tolist())}


def read_normalize(options: Options | None) -> Normalize | None:
    """The normalization that `describe_normalize` described."""
    return None if options is None else Normalize(options["mean"], options["std"])


def describe_logits(answer: Answer) -> dict[str, Any]:  # Any: JSON
    """Which output of a network its logits are, and whether they are probabilities."""
    return {"where": answer.where, "probabilities": answer.probabilities}


def read_answer(options: Options) -> Answer:
    """The answer that `describe_logits` described."""
    return Answer(where=options["where"], probabilities=options["probabilities"])
