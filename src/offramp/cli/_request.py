"""What `offramp optimize` is asked for, checked as far as options alone can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from offramp.errors import OptionError

Kind = Literal["agreement", "harm", "net"]
ENGINES = ("openvino", "onnxruntime")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8", "int8+f32")
REGIMES = ("post", "cumulative", "frozen", "mixed", "joint")
TRAINING_PRECISIONS = ("float32", "bfloat16")
TARGETS = ("soft", "hard")
SEARCHES = ("frontier", "screening")
RULES = ("linear", "fine", "pareto", "golden")
LEARNED = "head_confidence"  # the score that heads learn themselves
DECIDING = (  # options that a training cannot be resumed with other values of
    "model", "weights", "data", "held_out", "tokenizer", "shape", "exits", "placement", "head", "score", "regime",
    "price", "epochs", "training_precision", "mean", "std", "seed", "targets", "survivors", "mix",
    "cascade", "ensemble", "logits",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What to choose a point of the frontier by: one of a promise, a budget, or the knee.

    Attributes:
        max_loss: Accepted share of lost answers, or None if no promise is asked.
        confidence: Of the promise.
        kind: What a loss is; None for harm with labels and agreement without.
        budget: Relative MACs that may be spent, or None.
    """

    max_loss: float | None = None
    confidence: float = 0.95
    kind: Kind | None = None
    budget: float | None = None

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
    survivors: float = 0.0
    mix: float = 0.0
    cascade: bool = False
    ensemble: bool = False
    logits: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    engine: str = "openvino"
    precision: str = "f32"
    threads: int = 1
    seed: int = 0
    resume: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their range, all at once."""
        wrong = [
            *([f"--exits {self.exits} (1 or more, or auto)"] if self.exits != "auto" and self.exits < 1 else []),
            *([f"--batch {self.batch} (1 or more)"] if self.batch < 1 else []),
            *([f"--epochs {self.epochs} (1 or more)"] if self.epochs < 1 else []),
            *([f"--threads {self.threads} (1 or more)"] if self.threads < 1 else []),
            *([f"--seed {self.seed} (0 or more)"] if self.seed < 0 else []),
            *([f"--price {self.price} (0 or more)"] if self.price is not None and not self.price >= 0 else []),
            *([f"--engine {self.engine} ({' or '.join(ENGINES)})"] if self.engine not in ENGINES else []),
            *([f"--precision {self.precision} ({', '.join(PRECISIONS)})"] if self.precision not in PRECISIONS else []),
            *([f"--regime {self.regime} ({', '.join(REGIMES)})"] if self.regime not in REGIMES else []),
            *(
                [f"--training-precision {self.training_precision} ({' or '.join(TRAINING_PRECISIONS)})"]
                if self.training_precision not in TRAINING_PRECISIONS
                else []
            ),
            *([f"--targets {self.targets} ({' or '.join(TARGETS)})"] if self.targets not in TARGETS else []),
            *([f"--survivors {self.survivors} (0 to 1)"] if not 0 <= self.survivors <= 1 else []),
            *([f"--mix {self.mix} (0 to 1)"] if not 0 <= self.mix <= 1 else []),
        ]
        if wrong:
            raise OptionError(f"options must lie in their range, but these do not: {', '.join(wrong)}. Change them.")
        self._check_regime()
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
        if self.regime != "post" and (self.targets, self.survivors, self.mix) != ("soft", 0.0, 0.0):
            raise OptionError(
                f"--targets, --survivors and --mix belong to --regime post, but the regime is {self.regime}. "
                "Leave them out."
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

    def deciding(self) -> dict[str, Any]:  # Any: JSON
        """What a resumed run must have in common with the one that was killed."""
        given = asdict(self)
        return {name: _plain(given[name]) for name in DECIDING}

    def options(self) -> dict[str, Any]:  # Any: JSON
        """All options, as JSON."""
        return {name: _plain(value) for name, value in asdict(self).items() if name != "resume"}


def read_goal(
    *,
    max_loss: float | None,
    confidence: float | None,
    kind: str | None,
    budget: float | None,
    knee: bool,
    usual: Goal = PROMISE,
) -> Goal:
    """The goal that the options name.

    Args:
        max_loss: As the option; so the others.
        confidence: Of the promise.
        kind: Of the loss.
        budget: Relative MACs.
        knee: Choose the knee.
        usual: What is meant if no option is given; if it is a promise, also by those parts of one that are not given.

    Raises:
        OptionError: Two goals at once, or a value outside its range.
    """
    promise = [
        name
        for name, value in (("--max-loss", max_loss), ("--confidence", confidence), ("--kind", kind))
        if value is not None
    ]
    named = [*promise[:1], *(["--budget"] if budget is not None else []), *(["--knee"] if knee else [])]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other: choose by loss, by budget, or the knee.")
    if not named:
        return usual
    if budget is not None:
        if not budget > 0:
            raise OptionError(f"--budget must be positive, but is {budget}. For half the work give 0.5.")
        return Goal(budget=budget)
    if knee:
        return Goal()
    for name, share in (("--max-loss", max_loss), ("--confidence", confidence)):
        if share is not None and not 0 < share < 1:
            raise OptionError(f"{name} must lie between 0 and 1, but is {share}. For one percent give 0.01.")
    if kind not in (None, "agreement", "harm", "net"):
        raise OptionError(f"--kind must be agreement, harm or net, but is {kind!r}. Choose one of them.")
    like = usual if usual.name == "promise" else PROMISE
    return Goal(
        max_loss=like.max_loss if max_loss is None else max_loss,
        confidence=like.confidence if confidence is None else confidence,
        kind=like.kind if kind is None else kind,  # type: ignore[arg-type]  # checked above
    )


def read_exits(text: str) -> int | Literal["auto"]:
    """A number, or "auto".

    Raises:
        OptionError: Something else.
    """
    if text == "auto":
        return "auto"
    if not text.lstrip("-").isdigit():
        raise OptionError(f"--exits must be a number or auto, but is {text!r}. Write 4 or auto.")
    return int(text)


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
        return Search(name="screening", shares=tuple(number / 100 for number in numbers))
    return Search(name="screening", grid=numbers)


def read_numbers(text: str | None, option: str, such_as: str = "0.5,0.5,0.5") -> tuple[float, ...] | None:
    """Numbers between commas.

    Raises:
        OptionError: Something else.

    Example:
        >>> read_numbers("0.5,0.25", "--mean")
        (0.5, 0.25)
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} must be numbers between commas, but is {text!r}. Write {such_as}.") from error


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Whole positive numbers between commas.

    Raises:
        OptionError: Something else.
    """
    sizes = read_numbers(text, "--shape")
    if sizes is not None and any(size < 1 or size != int(size) for size in sizes):
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
    return tuple(int(part) if part.lstrip("-").isdigit() else part for part in map(str.strip, text.split(",")))


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
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
