"""How far a run is: small events, for whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

State = Literal["begun", "going", "done", "stopped", "said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a run is doing.

    Attributes:
        step: What is done, such as "evidence: openvino f32"; of "said", something that is worth a word.
        state: "begun" when the step begins, "going" whenever it gets on, "done" at its end, "stopped" if it fails;
            "said" is no step.
        done: How much of `total` is done, such as samples, or batches of a training.
        total: How much there is to do; 0 if that is not known.
        detail: Where the step is, such as "epoch 3/8"; may be empty.
        seconds: Seconds since the step began.
        is_titled: False for a part of a step that only counts, and has no title of its own.
    """

    step: str
    state: State = "going"
    done: int = 0
    total: int = 0
    detail: str = ""
    seconds: float = 0.0
    is_titled: bool = True


Listener: TypeAlias = Callable[[Progress], None]
"""What is told how far a run is: it is called often, so it should be quick."""
