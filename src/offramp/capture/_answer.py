"""Where a model's answer holds the logits.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from offramp.errors import CaptureError, OfframpWarning, OptionError

from ._trace import LEAST

_ROUNDING = 1e-3  # by which a row of probabilities may miss one
Path = tuple[str | int, ...]  # keys and positions from the whole answer to one of its tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Which of a network's outputs is its answer, and how it is to be read.

    Attributes:
        where: Name or position of the output; None for the only one that can hold logits.
        probabilities: True if it holds probabilities, whose logarithm is taken as logits; None to find out from the
            values.
    """

    where: str | int | None = None
    probabilities: bool | None = None


Logits = str | int | Answer | None


def read_logits(logits: Logits) -> Answer:
    """The full form of what a caller gave as `logits`.

    Args:
        logits: Name or position of an output, an `Answer`, or None for the only output that can hold logits.

    Returns:
        The same as an `Answer`.

    Example:
        >>> read_logits("logits")
        Answer(where='logits', probabilities=None)
    """
    return logits if isinstance(logits, Answer) else Answer(where=logits)


def locate_logits(answer: Any, where: str | int | None = None) -> Path:  # Any: whatever a network answers
    """The way from a model's answer to its logits.

    Args:
        answer: What the model answered to the example: a tensor, or tuples, lists and mappings of them.
        where: Name or position of an output. None takes the entry or attribute `logits` if there is one, else the only
            floating-point tensor [B, K], else the first output.

    Returns:
        Keys and positions that lead from the whole answer to the logits; empty if the answer is the logits.

    Raises:
        CaptureError: The answer is empty, or several outputs could be the logits and none was named.
        OptionError: There is no such output.

    Example:
        >>> import torch
        >>> locate_logits({"loss": torch.ones(()), "logits": torch.ones(2, 3)})
        ('logits',)
        >>> locate_logits((torch.ones(2, 8), torch.ones(2, 3)), 1)
        (1,)
    """
    outputs = dict(_leaves(answer, ()))
    if not outputs:
        raise CaptureError("a model must answer with logits, but answered with nothing. Return a tensor [B, K].")
    if where is not None:
        start = _named(answer, where, outputs)
        return (*start, *locate_logits(pick(answer, start)))
    known = _known(answer)
    if known is not None:
        return (known, *locate_logits(pick(answer, (known,))))
    likely = [path for path, leaf in outputs.items() if _can_be_logits(leaf)]
    if len(likely) > 1:
        raise CaptureError(
            f"a model must say which output its logits are, but could mean {_listed(outputs, likely)}. "
            "Name one: logits=NAME or INDEX.",
            about=["logits="],
        )
    return likely[0] if likely else next(iter(outputs))


def pick(answer: Any, path: Path) -> Any:  # Any: tensors, or what stands for them while tracing
    """What lies at the end of a path.

    Args:
        answer: A tensor, or tuples, lists and mappings of them.
        path: Keys and positions to follow, as `locate_logits` gives them.

    Returns:
        The part of the answer at that place.

    Example:
        >>> pick({"logits": ("a", "b")}, ("logits", 1))
        'b'
    """
    for step in path:
        answer = answer[step]
    return answer


def read_answer(logits: Tensor, answer: Answer, name: str) -> Answer:
    """The same answer, with `probabilities` filled in; a warning if probabilities come as a surprise.

    Args:
        logits: What the network answered to random samples, [B, K].
        answer: What is known of the output.
        name: Name of the network, for the warning.

    Returns:
        An answer whose `probabilities` is True or False.
    """
    if answer.probabilities is not None:
        return answer
    found = _are_probabilities(logits)
    if found:
        warnings.warn(
            f"{name} answers with probabilities: each row sums to one. Their logarithm is taken as logits, so that "
            "confidence and training are right. Leave the softmax out to be rid of it.",
            OfframpWarning,
            stacklevel=3,
        )
    return replace(answer, probabilities=found)


def _are_probabilities(logits: Tensor) -> bool:
    """Never of logits: those of random samples neither sum to one nor are all positive."""
    rows = logits.detach().double()
    return bool((rows >= 0).all()) and bool(((rows.sum(dim=1) - 1).abs() < _ROUNDING).all())


def as_logits(logits: Tensor, answer: Answer) -> Tensor:
    """Logits as a captured network gives them: of probabilities the logarithm.

    Args:
        logits: What the network answers, [B, K].
        answer: Whether that is probabilities; where it is not known, each row is looked at.

    Returns:
        Logits [B, K]; probabilities below 1e-7 count as 1e-7.

    Example:
        >>> import torch
        >>> as_logits(torch.tensor([[0.5, 0.5]]), Answer(probabilities=True))
        tensor([[-0.6931, -0.6931]])
    """
    known = _are_probabilities(logits) if answer.probabilities is None else answer.probabilities
    return logits.clamp(min=LEAST).log() if known else logits


def find_logits(answer: Any, where: str | int | None = None) -> Any:  # Any: see above
    """The logits in what a model answers.

    Args:
        answer: What the model answered: a tensor, or tuples, lists and mappings of them.
        where: Name or position of an output; None finds it as `locate_logits` does.

    Returns:
        The tensor at that place.

    Raises:
        CaptureError: The answer is empty, or several outputs could be the logits and none was named.
        OptionError: There is no such output.

    Example:
        >>> import torch
        >>> find_logits({"loss": torch.ones(()), "logits": torch.ones(1, 2)})
        tensor([[1., 1.]])
    """
    return pick(answer, locate_logits(answer, where))


def list_outputs(answer: Any) -> str:  # Any: whatever a network answers
    """Names and shapes of all outputs, for a message.

    Args:
        answer: What a model answered: a tensor, or tuples, lists and mappings of them.

    Returns:
        The outputs between commas; at most nine are named, the rest counted.

    Example:
        >>> import torch
        >>> list_outputs({"loss": torch.ones(()), "logits": torch.ones(2, 3)})
        'loss [], logits [2, 3]'
    """
    outputs = dict(_leaves(answer, ()))
    return _listed(outputs, list(outputs))


def _leaves(answer: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(answer, (tuple, list)):
        for at, value in enumerate(answer):
            yield from _leaves(value, (*path, at))
    elif answer is not None:
        yield path, answer


def _named(answer: Any, where: str | int, outputs: Mapping[Path, Any]) -> Path:
    """The path that a name or a position means."""
    by_name: dict[str, Path] = {_name(path): path for path in outputs}
    entries = _entries(answer)
    by_name |= {str(key): (key,) for key in entries}
    by_name |= {field: (at,) for at, field in enumerate(getattr(answer, "_fields", ()))}  # a named tuple
    text = str(where)
    if text in by_name:
        return by_name[text]
    if text.lstrip("-").isdigit() and -len(entries) <= int(text) < len(entries):
        return (entries[int(text)],)
    raise OptionError(
        f"logits must name an output, but the model has {_listed(outputs, list(outputs))} and not {where!r}. "
        "Choose one of them.",
        about=["logits"],
    )


def _entries(answer: Any) -> list[str | int]:
    if isinstance(answer, Mapping):
        return list(answer)
    return list(range(len(answer))) if isinstance(answer, (tuple, list)) else []


def _known(answer: Any) -> str | int | None:
    """The entry that is called `logits`."""
    if isinstance(answer, Mapping):
        return "logits" if "logits" in answer else None
    fields = getattr(answer, "_fields", ())
    return fields.index("logits") if "logits" in fields else None


def _can_be_logits(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim == 2 and leaf.shape[1] > 1 and leaf.is_floating_point()


def _listed(outputs: Mapping[Path, Any], paths: list[Path]) -> str:
    shown = [" ".join([*([_name(path)] if path else []), _shape(outputs[path])]) for path in paths[:9]]
    return ", ".join(shown) + (f" and {len(paths) - 9} more" if len(paths) > 9 else "")


def _name(path: Path) -> str:
    return ".".join(map(str, path))


def _shape(leaf: Any) -> str:
    return str(list(leaf.shape)) if isinstance(leaf, Tensor) else type(leaf).__name__
