"""Which values only pass from body to body, so that nobody cares how they lie in memory or when they are gathered."""

from __future__ import annotations

from collections.abc import Iterator

from ._bookkeeping import gathers_rows, is_bookkeeping
from ._card import OUTPUTS
from ._lift import Branch, Stage, Steps, stages


def is_body(stage: Stage) -> bool:
    """Whether a stage computes; all its nodes are of one kind."""
    return not all(map(is_bookkeeping, stage.model.graph.node))


class Passage:
    """What is read by whom.

    Args:
        steps: Of a file, lifted so that bookkeeping and bodies lie in stages of their own.
    """

    def __init__(self, steps: Steps) -> None:
        self._leaving = {*OUTPUTS, *_leaving(steps)}
        self._stages = list(stages(steps))
        self._known: dict[str, bool] = {}

    def is_private(self, name: str) -> bool:
        """Whether bodies alone read a value, directly or after its rows were gathered."""
        if name not in self._known:
            self._known[name] = name not in self._leaving and all(
                is_body(stage) or self._only_gathers(stage, name) for stage in self._stages if name in _read(stage)
            )
        return self._known[name]

    def gathered(self) -> Iterator[tuple[str, str]]:
        """Pairs of a value and the rows gathered of it that only bodies read."""
        for stage in self._stages:
            for node in () if is_body(stage) else stage.model.graph.node:
                if gathers_rows(node, node.input[0]) and self._only_bodies(node.output[0]):
                    yield node.input[0], node.output[0]

    def _only_bodies(self, name: str) -> bool:
        return name not in self._leaving and all(is_body(stage) for stage in self._stages if name in _read(stage))

    def _only_gathers(self, stage: Stage, name: str) -> bool:
        reading = [node for node in stage.model.graph.node if name in node.input]
        return all(gathers_rows(node, name) and self._only_bodies(node.output[0]) for node in reading)


def _read(stage: Stage) -> set[str]:
    return {name for node in stage.model.graph.node for name in node.input}


def _leaving(steps: Steps) -> Iterator[str]:
    """Names that branches look at or rename."""
    for step in steps:
        if isinstance(step, Branch):
            yield step.condition
            yield from (*step.then_results, *step.otherwise_results)
            yield from _leaving(step.then)
            yield from _leaving(step.otherwise)
