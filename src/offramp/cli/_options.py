"""What `offramp optimize` was asked, checked as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from offramp.errors import OptionError

Engine = Literal["openvino", "onnxruntime"]
Kind = Literal["agreement", "harm", "net"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `offramp optimize`, under the names of the command line.

    Raises:
        OptionError: A value outside its range, or two that exclude each other.
    """

    model: str
    data: str
    out: Path
    weights: Path | None = None
    held_out: str | None = None
    tokenizer: str | None = None
    max_loss: float | None = None
    confidence: float = 0.95
    kind: Kind = "agreement"
    budget: float | None = None
    knee: bool = False
    exits: int = 4
    placement: str = "linear"
    head: str = "auto"
    score: str = "max_probability"
    epochs: int = 8
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    engine: Engine = "openvino"
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse the first thing that is wrong."""
        if sum((self.max_loss is not None, self.budget is not None, self.knee)) > 1:
            raise OptionError("--max-loss, --budget and --knee exclude each other, but more than one is given: keep one.")
        for name, value in (("max-loss", self.max_loss), ("confidence", self.confidence), ("budget", self.budget)):
            if value is not None and not 0 < value < 1 and not (name == "budget" and value == 1):
                raise OptionError(f"--{name} must lie between 0 and 1, but is {value}: 0.01 means one percent.")
        for name, count in (("exits", self.exits), ("epochs", self.epochs), ("threads", self.threads)):
            if count < 1:
                raise OptionError(f"--{name} must be at least 1, but is {count}.")
        for name, given, allowed in (("engine", self.engine, Engine), ("kind", self.kind, Kind)):
            if given not in get_args(allowed):
                raise OptionError(f"--{name} must be one of {', '.join(get_args(allowed))}, but is {given!r}.")
        if (self.mean is None) != (self.std is None):
            raise OptionError("--mean and --std belong together, but only one is given: give both.")

    @property
    def loss(self) -> float:
        """The accepted loss; one percent unless asked otherwise."""
        return 0.01 if self.max_loss is None else self.max_loss

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """All options as JSON-able data."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
