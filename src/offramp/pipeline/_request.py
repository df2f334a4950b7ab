"""What a run is asked for, checked as far as options alone can be."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from offramp.decide import Target
from offramp.errors import OptionError
from offramp.run import legible
from offramp.store._machine import relative_to_here, without_folders

from ._engine import Engine
from ._exits import Exits, Scoring, read_scores
from ._ranges import find_outside, refuse
from ._search import Search
from ._training import Training

LABELLED = ("harm", "net")  # kinds of a promise that only labels prove
LEARNED = "head_confidence"  # the score that heads learn themselves
DECIDING = (  # names in the record that a training cannot be resumed with other values of
    "model", "weights", "data", "held_out", "tokenizer", "shape", "class_names", "exits", "placement", "head",
    "score", "regime", "price", "epochs", "training_precision", "mean", "std", "seed", "targets",
    "sample_weighting", "mixup", "reuse_logits", "ensemble_heads", "logits",
)  # fmt: skip
PLACES = ("model", "weights", "out")  # those that may name a folder of this machine, which nobody needs later
SOURCES = ("data", "held_out", "tokenizer")  # the same, but later commands open them again


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run of the chain.

    Attributes:
        model: Reference to the network, or what an object is called in the record.
        train: Reference to the samples that exits learn from, or what an object is called in the record.
        out: Folder to write.
        target: By what the operating point is chosen.
        exits: Which exits the network gets.
        training: How they are trained.
        engine: What runs the file.
        search: How operating points are looked for.
        weights: File with the weights of the network, if the reference brings none.
        held_out: The same as `train`, of samples to choose, prove and test on; None sets 40 % of `train` aside.
        tokenizer: Folder of a Hugging Face tokenizer, for texts.
        shape: Of one sample, if the network does not say it.
        logits: Name or index of the output that holds the logits, if there are several.
        mean: Per channel, in units of [0, 1]; None: what the origin of the network says.
        std: As `mean`.
        class_names: What the outputs are called, in their order; None: what network or samples say.
        seed: Of everything random.
        resume: Go on where a killed run stopped.
        fresh: Throw away what a killed run trained.

    Raises:
        OptionError: A value outside its range, or two that exclude each other.
    """

    model: str
    train: str
    out: Path
    target: Target = field(default_factory=Target)
    exits: Exits = field(default_factory=Exits)
    training: Training = field(default_factory=Training)
    engine: Engine = field(default_factory=Engine)
    search: Search = field(default_factory=Search)
    weights: Path | None = None
    held_out: str | None = None
    tokenizer: str | None = None
    shape: tuple[int, ...] | None = None
    logits: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    class_names: tuple[str, ...] | None = None
    seed: int = 0
    resume: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, before any work."""
        refuse(find_outside("", seed=self.seed))
        if self.training.regime != "cumulative" and LEARNED in self.scoring.names:
            raise OptionError(
                f"exits.scores {LEARNED} goes with training.regime cumulative, but the regime is "
                f"{self.training.regime}. Take another score.",
                about=["exits.scores", "training.regime"],
            )
        if self.resume and self.fresh:
            raise OptionError(
                "resume=True and fresh=True exclude each other: go on with what is there, or throw it away.",
                about=["resume=True", "fresh=True"],
            )
        if (self.mean is None) != (self.std is None):
            raise OptionError(
                "mean and std must be given together, but one is missing. Give both or none.", about=["mean", "std"]
            )

    @property
    def head(self) -> str | tuple[str, ...]:
        """One head for all exits or one for each: as asked, or what suits the regime."""
        if self.exits.head is not None:
            return self.exits.head
        return "conv2:confidence=1" if self.training.regime == "cumulative" else "auto"

    @property
    def score(self) -> str:
        """What gates may compare: as asked, or what suits the regime."""
        return self.exits.scores or (LEARNED if self.training.regime == "cumulative" else "max_probability")

    @property
    def scoring(self) -> Scoring:
        """What `score` says."""
        return read_scores(self.score)

    @property
    def asked_labels(self) -> tuple[bool, bool]:
        """Whether something was asked for that needs labels of what is learned from, and of what is held out."""
        proves = self.target.kind in LABELLED
        return self.training.needs_labels or (proves and self.held_out is None), proves

    def deciding(self) -> dict[str, Any]:  # Any: JSON
        """What a resumed run must have in common with the one that was killed."""
        told = self._recorded()
        return {name: told[name] for name in DECIDING}

    def options(self) -> dict[str, Any]:  # Any: JSON
        """All options, as JSON; paths name no folder of this machine, but those that a later command opens again."""
        given = self._recorded()
        told = {name: without_folders(given[name]) for name in PLACES if given[name] is not None}
        return given | told | {name: relative_to_here(given[name]) for name in SOURCES if given[name] is not None}

    def _recorded(self) -> dict[str, Any]:  # Any: JSON
        """All options under the names that the record has for them."""
        goal = {name: value for name, value in self.target.to_json().items() if name != "name"}
        exits, training, engine = self.exits, self.training, self.engine
        given = {
            "model": self.model, "data": self.train, "out": self.out, "goal": goal, "search": asdict(self.search),
            "weights": self.weights, "held_out": self.held_out, "tokenizer": self.tokenizer, "shape": self.shape,
            "exits": exits.count, "batch": engine.batch, "placement": exits.placement, "head": self.head,
            "score": self.score, "regime": training.regime, "price": training.price, "epochs": training.epochs,
            "training_precision": training.precision, "targets": training.targets,
            "sample_weighting": training.sample_weighting, "mixup": training.mixup,
            "reuse_logits": exits.reuse_logits, "ensemble_heads": exits.ensemble_heads,
            "logits": self.logits, "mean": self.mean, "std": self.std,
            "class_names": self.class_names, "engine": engine.name, "precision": engine.precision,
            "threads": engine.threads, "seed": self.seed,
        }  # fmt: skip
        return {name: _plain(value) for name, value in given.items()}


def find_tokenizer(given: str | None, model: str) -> str | None:
    """The folder of the tokenizer: the one that is given, else that of the model if it lies with its weights."""
    kind, _, place = model.partition(":")
    if given is None and kind == "hf" and (Path(place) / "tokenizer_config.json").is_file():
        return place
    return given


def _plain(value: Any) -> Any:  # Any: JSON
    if isinstance(value, str | Path):
        return legible(str(value))
    return list(value) if isinstance(value, tuple) else value
