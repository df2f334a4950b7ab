"""What `offramp optimize` is asked for, checked as far as options alone can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from offramp.errors import OptionError
from offramp.run import legible
from offramp.store._machine import relative_to_here, without_folders

from ._ranges import LARGEST, SMALLEST, find_outside, refuse

Kind = Literal["agreement", "harm", "net"]
ENGINES = ("openvino", "onnxruntime")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8", "int8+f32")
REGIMES = ("post", "cumulative", "frozen", "mixed", "joint")
TRAINING_PRECISIONS = ("float32", "bfloat16")
TARGETS = ("soft", "hard")
SEARCHES = ("frontier", "screening")
LABELLED = ("harm", "net")  # kinds of a promise that only labels prove
SUPERVISED = ("frozen", "mixed", "joint")  # regimes in which labels teach
RULES = ("linear", "fine", "pareto", "golden")
LEARNED = "head_confidence"  # the score that heads learn themselves
DECIDING = (  # options that a training cannot be resumed with other values of
    "model", "weights", "data", "held_out", "tokenizer", "shape", "class_names", "exits", "placement", "head",
    "score", "regime", "price", "epochs", "training_precision", "mean", "std", "seed", "targets",
    "sample_weighting", "mixup", "reuse_logits", "ensemble_heads", "logits",
)  # fmt: skip
PLACES = ("model", "weights", "out")  # options that may name a folder of this machine, which nobody needs later
SOURCES = ("data", "held_out", "tokenizer")  # the same, but later commands open them again


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What to choose a point of the frontier by: one of a promise, a budget, or the knee.

    Attributes:
        max_loss: Accepted share of lost answers, or None if no promise is asked.
        confidence: Of the promise.
        kind: What a loss is; None for harm with labels and agreement without.
        budget: Relative MACs that may be spent, or None.
        margin: Share of `max_loss` that a promise holds in reserve: the point is chosen and proven for that much less.
    """

    max_loss: float | None = None
    confidence: float = 0.95
    kind: Kind | None = None
    budget: float | None = None
    margin: float = 0.0

    @property
    def name(self) -> str:
        """Either "promise", "budget" or "knee"."""
        return "budget" if self.budget is not None else "knee" if self.max_loss is None else "promise"


PROMISE = Goal(max_loss=0.01)  # if nothing else is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How operating points are looked for.

    Attributes:
        name: "frontier" or "screening".
        grid: Thresholds that a screening combines, or None for its own.
        shares: Instead of them, shares of the samples that leave at each exit, or None.
    """

    name: Literal["frontier", "screening"] = "frontier"
    grid: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What the gates may compare.

    Attributes:
        names: Of the scores to compute, the first gates; empty for all that there are.
        auto: Whether the best of them gates instead, judged by its frontier.
    """

    names: tuple[str, ...]
    auto: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run of `offramp optimize`; the names are those of the options."""

    model: str
    data: str
    out: Path
    goal: Goal
    search: Search = Search()
    weights: Path | None = None
    held_out: str | None = None
    tokenizer: str | None = None
    shape: tuple[int, ...] | None = None
    exits: int | Literal["auto"] = "auto"
    batch: int = 1
    placement: str | tuple[str | int, ...] = "linear"
    head: str | tuple[str, ...] = "auto"
    score: str = "max_probability"
    regime: str = "post"
    price: float | None = None
    epochs: int = 8
    training_precision: str = "float32"
    targets: str = "soft"
    sample_weighting: float = 0.0
    mixup: float = 0.0
    reuse_logits: bool = False
    ensemble_heads: bool = False
    logits: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    class_names: tuple[str, ...] | None = None
    engine: str = "openvino"
    precision: str = "f32"
    threads: int = 1
    seed: int = 0
    resume: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their range, all at once."""
        wrong = [
            *find_outside(
                exits=None if self.exits == "auto" else self.exits, batch=self.batch, epochs=self.epochs,
                threads=self.threads, seed=self.seed, price=self.price, sample_weighting=self.sample_weighting,
                mixup=self.mixup,
            ),
            *([f"--engine {self.engine} ({' or '.join(ENGINES)})"] if self.engine not in ENGINES else []),
            *([f"--precision {self.precision} ({', '.join(PRECISIONS)})"] if self.precision not in PRECISIONS else []),
            *([f"--regime {self.regime} ({', '.join(REGIMES)})"] if self.regime not in REGIMES else []),
            *(
                [f"--training-precision {self.training_precision} ({' or '.join(TRAINING_PRECISIONS)})"]
                if self.training_precision not in TRAINING_PRECISIONS
                else []
            ),
            *([f"--targets {self.targets} ({' or '.join(TARGETS)})"] if self.targets not in TARGETS else []),
        ]  # fmt: skip
        refuse(wrong)
        self._check_regime()
        if self.resume and self.fresh:
            raise OptionError("--resume and --fresh exclude each other: go on with what is there, or throw it away.")
        if self.exits == "auto" and isinstance(self.placement, str) and not isinstance(self.head, str):
            raise OptionError("several --head need as many exits, but --exits is auto. Name the exits by --placement.")
        if (self.mean is None) != (self.std is None):
            raise OptionError("--mean and --std must be given together, but one is missing. Give both or none.")
        if self.engine == "onnxruntime" and self.precision in ("bf16", "f16"):
            raise OptionError(
                f"onnxruntime computes in f32 and int8, but --precision is {self.precision}. Choose openvino."
            )

    def _check_regime(self) -> None:
        names = self.scoring.names
        if self.regime != "post" and (self.targets, self.sample_weighting, self.mixup) != ("soft", 0.0, 0.0):
            raise OptionError(
                "--targets, --sample-weighting and --mixup belong to --regime post, but the regime is "
                f"{self.regime}. Leave them out."
            )
        if self.regime == "cumulative":
            return
        if self.price is not None:
            raise OptionError(f"--price goes with --regime cumulative, but the regime is {self.regime}. Leave it out.")
        if LEARNED in names:
            raise OptionError(
                f"--score {LEARNED} goes with --regime cumulative, but the regime is {self.regime}. Take another score."
            )

    @property
    def scoring(self) -> Scoring:
        """What `score` says."""
        return read_scores(self.score)

    @property
    def asked_labels(self) -> tuple[bool, bool]:
        """Whether something was asked for that needs labels of what is learned from, and of what is held out."""
        learns, proves = self.regime in SUPERVISED, self.goal.kind in LABELLED
        return learns or (proves and self.held_out is None), proves

    def deciding(self) -> dict[str, Any]:  # Any: JSON
        """What a resumed run must have in common with the one that was killed."""
        given = asdict(self)
        return {name: _plain(given[name]) for name in DECIDING}

    def options(self) -> dict[str, Any]:  # Any: JSON
        """All options, as JSON; paths name no folder of this machine, but those that a later command opens again."""
        given = {name: _plain(value) for name, value in asdict(self).items() if name not in ("resume", "fresh")}
        told = {name: without_folders(given[name]) for name in PLACES if given[name] is not None}
        return given | told | {name: relative_to_here(given[name]) for name in SOURCES if given[name] is not None}


def read_goal(  # noqa: PLR0913  (options of the command line)
    *,
    max_loss: float | None,
    confidence: float | None,
    kind: str | None,
    budget: float | None,
    knee: bool,
    margin: float | None = None,
    usual: Goal = PROMISE,
) -> Goal:
    """The goal that the options name.

    Args:
        max_loss: As the option; so the others.
        confidence: Of the promise.
        kind: Of the loss.
        budget: Relative MACs.
        knee: Choose the knee.
        margin: Share of the loss to hold in reserve.
        usual: What is meant if no option is given; if it is a promise, also by those parts of one that are not given.

    Raises:
        OptionError: Two goals at once, or a value outside its range.
    """
    promise = [
        name
        for name, value in (
            ("--max-loss", max_loss),
            ("--confidence", confidence),
            ("--kind", kind),
            ("--margin", margin),
        )
        if value is not None
    ]
    named = [*promise[:1], *(["--budget"] if budget is not None else []), *(["--knee"] if knee else [])]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other: choose by loss, by budget, or the knee.")
    if not named:
        return usual
    if budget is not None:
        if not SMALLEST <= budget <= LARGEST:
            raise OptionError(f"--budget must be a positive share, but is {budget}. For half the work give 0.5.")
        return Goal(budget=budget)
    if knee:
        return Goal()
    for name, share in (("--max-loss", max_loss), ("--confidence", confidence)):
        if share is not None and not SMALLEST <= share <= 1 - SMALLEST:
            raise OptionError(
                f"{name} must lie between 0 and 1, a billionth from both, but is {share}. "
                f"{'For one percent give 0.01' if name == '--max-loss' else 'For 95 percent give 0.95'}."
            )
    if margin is not None and not 0 <= margin < 1:
        raise OptionError(f"--margin must be 0 or more and below 1, but is {margin}. For a tenth in reserve give 0.1.")
    if kind not in (None, "agreement", "harm", "net"):
        raise OptionError(f"--kind must be agreement, harm or net, but is {kind!r}. Choose one of them.")
    like = usual if usual.name == "promise" else PROMISE
    return Goal(
        max_loss=like.max_loss if max_loss is None else max_loss,
        confidence=like.confidence if confidence is None else confidence,
        kind=like.kind if kind is None else kind,  # type: ignore[arg-type]  # checked above
        margin=like.margin if margin is None else margin,
    )


def read_exits(text: str) -> int | Literal["auto"]:
    """A number, or "auto".

    Raises:
        OptionError: Something else.
    """
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError as error:
        raise OptionError(f"--exits must be a number or auto, but is {text!r}. Write 4 or auto.") from error


def read_search(search: str, grid: str | None) -> Search:
    """The search that the options name; numbers of the grid that end in % are shares.

    Raises:
        OptionError: No such search, a grid that is none, or one without screening.

    Example:
        >>> read_search("screening", "80%, 90%").shares
        (0.8, 0.9)
    """
    if search not in SEARCHES:
        raise OptionError(f"--search must be {' or '.join(SEARCHES)}, but is {search!r}. Choose one of them.")
    if grid is None:
        return Search(name=search)  # type: ignore[arg-type]  # checked above
    if search != "screening":
        raise OptionError("--grid needs --search screening, but the search is frontier. Give both, or no grid.")
    parts = [part.strip() for part in grid.split(",")]
    percent = [part.endswith("%") for part in parts]
    if any(percent) and not all(percent):
        raise OptionError(f"--grid must be thresholds or percentages, but {grid!r} mixes them. Choose one kind.")
    numbers = read_numbers(grid.replace("%", ""), "--grid", "0.01,0.1,0.5")
    assert numbers is not None
    if all(percent):
        if any(not 0 <= number <= 100 for number in numbers):
            raise OptionError(f"--grid must be percentages from 0 to 100, but is {grid!r}. Write 80%,90%.")
        return Search(name="screening", shares=tuple(number / 100 for number in numbers))
    return Search(name="screening", grid=numbers)


def read_numbers(
    text: str | None, option: str, such_as: str = "0.5,0.5,0.5", *, least: float = -LARGEST
) -> tuple[float, ...] | None:
    """Numbers between commas.

    Args:
        text: Of the option; None if it is not given.
        option: Its name.
        such_as: An example.
        least: The smallest number that is meant.

    Raises:
        OptionError: Something else.

    Example:
        >>> read_numbers("0.5,0.25", "--mean")
        (0.5, 0.25)
    """
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} must be numbers between commas, but is {text!r}. Write {such_as}.") from error
    if not all(least <= number <= LARGEST for number in numbers):  # NaN lies nowhere
        raise OptionError(f"{option} must be numbers from {least:g} to {LARGEST:g}, but is {text!r}. Write {such_as}.")
    return numbers


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Whole positive numbers between commas.

    Raises:
        OptionError: Something else.
    """
    sizes = read_numbers(text, "--shape", "3,224,224")
    if sizes is not None and (math.prod(sizes) > LARGEST or any(size < 1 or size != int(size) for size in sizes)):
        raise OptionError(f"--shape must be whole positive sizes, but is {text!r}. Write 3,224,224.")
    return None if sizes is None else tuple(int(size) for size in sizes)


def read_tokenizer(given: str | None, model: str) -> str | None:
    """The folder of the tokenizer: the one that is given, else that of the model if it lies with its weights."""
    kind, _, place = model.partition(":")
    if given is None and kind == "hf" and (Path(place) / "tokenizer_config.json").is_file():
        return place
    return given


def read_heads(given: Sequence[str] | None, regime: str = "post") -> str | tuple[str, ...]:
    """One head for all exits, or one for each; what suits the regime if none is given.

    Example:
        >>> read_heads(["light"]), read_heads(["student", "light"]), read_heads(None)
        ('light', ('student', 'light'), 'auto')
    """
    if not given:
        return "conv2:confidence=1" if regime == "cumulative" else "auto"
    return given[0] if len(given) == 1 else tuple(given)


def read_score(given: str | None, regime: str) -> str:
    """The score that is given, or what suits the regime.

    Example:
        >>> read_score(None, "cumulative"), read_score(None, "post"), read_score("auto", "post")
        ('head_confidence', 'max_probability', 'auto')
    """
    return given or (LEARNED if regime == "cumulative" else "max_probability")


def read_placement(text: str) -> str | tuple[str | int, ...]:
    """A rule, or the names or indices of cut points between commas.

    Example:
        >>> read_placement("pool1, 4")
        ('pool1', 4)
    """
    if text in RULES:
        return text
    return tuple(map(_name_or_index, map(str.strip, text.split(","))))


def _name_or_index(text: str) -> str | int:
    """An index, if it is one that a network may have."""
    try:
        index = int(text)
    except ValueError:
        return text
    return index if abs(index) <= LARGEST else text


def read_scores(text: str) -> Scoring:
    """Names of scores between commas, "auto", or "auto:" and names between commas.

    Raises:
        OptionError: A name is empty, stands twice, or is "auto" among others.

    Example:
        >>> read_scores("auto:entropy, margin")
        Scoring(names=('entropy', 'margin'), auto=True)
    """
    first, colon, rest = text.partition(":")
    auto = first.strip() == "auto"
    if auto and not colon:
        return Scoring(names=(), auto=True)
    names = tuple(map(str.strip, (rest if auto else text).split(",")))
    if "" in names or "auto" in names or len(set(names)) < len(names):
        raise OptionError(
            f"--score must be names between commas, each once, auto, or auto: and names, but is {text!r}. "
            "Write max_probability,entropy or auto."
        )
    return Scoring(names=names, auto=auto)


def _plain(value: Any) -> Any:  # Any: JSON
    if isinstance(value, str | Path):
        return legible(str(value))
    return list(value) if isinstance(value, tuple) else value
