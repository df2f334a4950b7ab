"""Whether each row of a batch is answered by itself: the law on which exits, batches and promises rest."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from offramp.errors import CaptureError

from ._answer import find_logits
from ._copied import brief, copy_module
from ._inputs import Example, Inputs, read_example

MOST = 4  # rows that are compared; the law is broken by any of them
_TOLERANCE = 1e-4  # of the largest logit; 54 networks of torchvision and timm part by 7e-7 at most
_COARSE = 5e-2  # the same where anything is computed in half precision
_SKETCH = 4096  # numbers of a row that are remembered while the module is sought
_SEEDS = (0, 1, 2)
_SIZES = (1.0, 0.5, 2.0, 1.5)  # of the rows of floats, one each

Answer = Callable[[object], Any]  # Any: as the model answers


def check_rows(model: nn.Module, example: Example, *, answer: Answer = find_logits) -> None:
    """Refuse a network whose answer to a sample depends on its neighbors, on chance, or on what was asked before.

    The rows are answered together, in another order and each alone, each time with another random state. A copy is
    asked, so the model and all random states stay as they are. Float noise is no reason: what differs is asked again in
    float64, where noise vanishes and a dependence stays.

    Args:
        model: Network to test, in evaluation mode; a copy is asked.
        example: Samples as the model takes them, as for `capture`: two or more, or one that is varied.
        answer: Function that finds the logits in what the model answers.

    Raises:
        CaptureError: The answers differ, or one row alone cannot be answered; the message names the module and a
            remedy.

    Example:
        >>> check_rows(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)), torch.rand(2, 4))
    """
    with torch.no_grad(), keep_random_state():
        _check(_Trial(model, _several(model, read_example(example), answer), answer))


@contextmanager
def keep_random_state() -> Iterator[None]:
    """Leave the random states of PyTorch's CPU, NumPy and Python as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


class _Trial:
    """A network, of which copies are asked, and the rows that they are asked."""

    def __init__(self, model: nn.Module, inputs: Inputs, answer: Answer) -> None:
        self.model = model
        self.inputs = inputs
        self.answer = answer
        self.count = len(inputs.tensors[0])
        self.tolerance = _COARSE if _is_coarse(self.model, inputs) else _TOLERANCE

    @property
    def name(self) -> str:
        """The class of the network."""
        return type(self.model).__name__

    def fresh(self) -> nn.Module:
        """A copy that has not been asked yet."""
        return copy_module(self.model)

    def ask(self, model: nn.Module, rows: Sequence[int], seed: int) -> Tensor:
        """Logits of some rows."""
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        taken = Inputs(
            names=self.inputs.names,
            tensors=tuple(tensor[list(rows)].clone() for tensor in self.inputs.tensors),
            keyword=self.inputs.keyword,
        )
        logits = self.answer(taken.call(model))
        if not isinstance(logits, Tensor):
            raise TypeError(f"it answers with {type(logits).__name__}, not with a tensor")
        return logits.detach().clone()

    def doubled(self) -> _Trial:
        """The same in float64."""
        tensors = tuple(one.double() if one.is_floating_point() else one for one in self.inputs.tensors)
        inputs = Inputs(names=self.inputs.names, tensors=tensors, keyword=self.inputs.keyword)
        return _Trial(self.fresh().double(), inputs, self.answer)

    def same(self, one: Tensor, other: Tensor) -> bool:
        """Whether two answers agree but for noise."""
        if one.shape != other.shape:
            return False
        one, other = one.double(), other.double()
        whole = one[one.isfinite()]
        scale = max(float(whole.abs().max()) if len(whole) else 0.0, 1e-6)
        return torch.allclose(one, other, rtol=0, atol=self.tolerance * scale, equal_nan=True)


def _check(trial: _Trial) -> None:
    every = list(range(trial.count))
    asked = trial.fresh()
    try:
        together = trial.ask(asked, every, _SEEDS[0])
    except Exception as reason:  # any code of the user's
        raise CaptureError(
            f"{trial.name} must answer the example, but raised {brief(reason)}. Check its shapes and types."
        ) from reason
    if _holds(trial, asked, together):
        return
    try:
        doubled = trial.doubled()
        if _holds(doubled, again := doubled.fresh(), doubled.ask(again, every, _SEEDS[0])):
            return
    except Exception:  # not every network computes in float64: then what was seen counts
        pass
    raise CaptureError(_describe(trial, together))


def _holds(trial: _Trial, asked: nn.Module, together: Tensor) -> bool:
    """Whether the rows are answered in another order and alone as they are together."""
    every = list(range(trial.count))
    if not trial.same(together, trial.ask(asked, every[::-1], _SEEDS[1]).flip(0)):
        return False
    for row in every:
        try:
            alone = trial.ask(asked, [row], _SEEDS[2])
        except Exception:  # any code of the user's; `_describe` names what it was
            return False
        if not trial.same(together[row : row + 1], alone):
            return False
    return True


def _describe(trial: _Trial, together: Tensor) -> str:
    """The sentence of the first of four reasons that is one."""
    every, first = list(range(trial.count)), _SEEDS[0]
    asked = trial.fresh()
    trial.ask(asked, every, first)
    if not trial.same(together, trial.ask(asked, every, first)):
        place = _find(trial, (every, first, 1), (every, first, 2))
        return (
            f"{trial.name} must answer a sample the same each time, but {place} answers otherwise the second time. "
            "Keep nothing from call to call in evaluation mode."
        )
    if not trial.same(together, trial.ask(trial.fresh(), every, _SEEDS[1])):
        place = _find(trial, (every, first, 1), (every, _SEEDS[1], 1))
        return (
            f"{trial.name} must answer without chance in evaluation mode, but {place} draws at random. "
            f"{_remedy_of_chance(place.module)}"
        )
    for row in every:
        try:
            alone = trial.ask(trial.fresh(), [row], first)
        except Exception as reason:  # any code of the user's
            return _describe_alone(trial, row, f"raises {type(reason).__name__}")
        if alone.shape != together[row : row + 1].shape:
            return _describe_alone(trial, row, f"answers {list(alone.shape)} instead of {[1, *together.shape[1:]]}")
    tries: list[list[int]] = [*([row] for row in every), every[::-1]]
    places = (_find(trial, (every, first, 1), (rows, first, 1)) for rows in tries)
    return _describe_neighbors(trial, next((place for place in places if place != _NOWHERE), _NOWHERE))


def _describe_alone(trial: _Trial, row: int, what: str) -> str:
    place = _find(trial, (list(range(trial.count)), _SEEDS[0], 1), ([row], _SEEDS[0], 1))
    if isinstance(place.module, nn.modules.batchnorm._BatchNorm):
        return _describe_neighbors(trial, place)
    return (
        f"{trial.name} must answer one sample alone, but {what}: the batch axis is lost in {place}. "
        "Squeeze or reshape named axes only: squeeze(-1), flatten(1), x.shape[0]."
    )


def _describe_neighbors(trial: _Trial, place: _Place) -> str:
    return (
        f"{trial.name} must answer each sample by itself, but in {place} it depends on its neighbors in the batch. "
        f"{_remedy_of_rows(place.module)}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where answers part.

    Attributes:
        path: Of the module; "" is the network itself, None nowhere.
        module: At that path.
        before: The submodule that is the first to be given something else.
    """

    path: str | None
    module: nn.Module | None
    before: str | None

    def __str__(self) -> str:
        if self.path is None:
            return "its forward"
        own = f"{self.path!r} ({type(self.module).__name__})" if self.path else "its own forward"
        return f"{own}, before {self.before!r}" if self.before is not None else own


_NOWHERE = _Place(path=None, module=None, before=None)


@dataclass(slots=True, kw_only=True)
class _Event:
    """A call of a module that began (`ended` false) or ended, and what it was given or gave."""

    path: str
    ended: bool
    given: list[_Sketch]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sketch:
    """A tensor, of which some numbers of each row are kept.

    Attributes:
        shape: Of all of it.
        by_axis: [rows, numbers] for each axis that the rows may lie along; recurrent networks like time first.
        whole: [1, numbers], where there is no such axis.
    """

    shape: tuple[int, ...]
    by_axis: dict[int, Tensor]
    whole: Tensor

    @classmethod
    def of(cls, tensor: Tensor, rows: int) -> _Sketch:
        """What is kept of a tensor."""
        plain = tensor.detach()
        plain = plain.abs() if plain.is_complex() else plain
        axes = [axis for axis in range(min(plain.ndim, 2)) if plain.shape[axis] and plain.shape[axis] % rows == 0]
        return cls(
            shape=tuple(plain.shape),
            by_axis={axis: _thinned(plain.movedim(axis, 0).reshape(rows, -1)) for axis in axes},
            whole=_thinned(plain.reshape(1, -1)),
        )

    def agrees(self, other: _Sketch, rows: Sequence[int], others: Sequence[int], trial: _Trial) -> bool:
        """Whether the rows that both have are the same."""
        axis = self._axis_of_rows(other, len(rows), len(others))
        if axis is not None and axis in self.by_axis and axis in other.by_axis:
            index = [list(rows).index(row) for row in others]
            return trial.same(self.by_axis[axis][index], other.by_axis[axis])
        return self.shape == other.shape and trial.same(self.whole, other.whole)

    def _axis_of_rows(self, other: _Sketch, rows: int, others: int) -> int | None:
        if rows == others:
            return next(iter(self.by_axis), None) if self.shape == other.shape else None
        if len(self.shape) != len(other.shape):
            return None
        differ = [axis for axis, (one, two) in enumerate(zip(self.shape, other.shape, strict=True)) if one != two]
        fits = len(differ) == 1 and self.shape[differ[0]] * others == other.shape[differ[0]] * rows
        return differ[0] if fits else None


Asked = tuple[Sequence[int], int, int]  # rows, seed, how many times; the last time is looked at


def _find(trial: _Trial, one: Asked, other: Asked) -> _Place:
    """The first module that gives something else although it was given the same."""
    modules = dict(trial.model.named_modules())
    open_: list[str] = []
    for left, right in zip_longest(_watch(trial, one), _watch(trial, other)):
        if left is None or right is None or (left.path, left.ended) != (right.path, right.ended):
            break  # from here on they go different ways, or one has raised
        same = len(left.given) == len(right.given) and all(
            a.agrees(b, one[0], other[0], trial) for a, b in zip(left.given, right.given, strict=True)
        )
        if left.ended:
            open_.pop()
        if not same and (left.ended or open_):
            path, before = (left.path, None) if left.ended else (open_[-1], left.path)
            return _Place(path=path, module=modules[path], before=before)
        if not left.ended:
            open_.append(left.path)
    return _Place(path=open_[-1], module=modules[open_[-1]], before=None) if open_ else _NOWHERE


def _watch(trial: _Trial, asked: Asked) -> list[_Event]:
    """All calls of modules, in order; those up to the one that raised, if one did."""
    rows, seed, times = asked
    model = trial.fresh()
    events: list[_Event] = []

    def note(path: str, ended: bool, given: object) -> None:
        sketches = [_Sketch.of(tensor, len(rows)) for tensor in _tensors(given)]
        events.append(_Event(path=path, ended=ended, given=sketches))

    for path, module in model.named_modules():
        module.register_forward_pre_hook(
            lambda _, args, kwargs, path=path: note(path, False, (args, kwargs)), with_kwargs=True
        )
        module.register_forward_hook(lambda _, args, result, path=path: note(path, True, result))
    for _ in range(times):
        events.clear()
        try:
            trial.ask(model, rows, seed)
        except Exception:  # that is what is looked for; the events tell where
            break
    return events


def _thinned(rows: Tensor) -> Tensor:
    return rows[:, :: max(1, rows.shape[1] // _SKETCH)].double()


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _remedy_of_chance(module: nn.Module | None) -> str:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return "Its mode is fixed: let its train() and eval() do what they should."
    return "Use nn.Dropout, or F.dropout(x, p, self.training); draw only `if self.training`."


def _remedy_of_rows(module: nn.Module | None) -> str:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        if module.running_mean is None:
            return "Train it with track_running_stats=True, and load its running statistics."
        return "It stays in training mode: let train() and eval() reach it."
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase)) and not module.batch_first:
        return "It takes the first axis for time: give it batch_first=True."
    return "Compute statistics, sorting and attention of each sample by itself, over all axes but the first."


def _is_coarse(model: nn.Module, inputs: Inputs) -> bool:
    held = (*model.parameters(), *model.buffers(), *inputs.tensors)
    return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in held)


def _several(model: nn.Module, inputs: Inputs, answer: Answer) -> Inputs:
    """At most MOST rows that differ, also in size: what is given, or where that is one row twice, chance in its range.

    Random pictures all have nearly the same largest pixel, so what depends on that of the batch would not show.
    """
    rows = inputs.rows(min(max(len(inputs.tensors[0]), 2), MOST))
    if not any(bool((tensor[1:] != tensor[:1]).any()) for tensor in rows.tensors):
        generator = torch.Generator().manual_seed(_SEEDS[0])
        rows = _if_answered(model, rows, [_vary(tensor, generator) for tensor in rows.tensors], answer)
    return _if_answered(model, rows, [_scale(tensor) for tensor in rows.tensors], answer)


def _if_answered(model: nn.Module, rows: Inputs, tensors: Sequence[Tensor], answer: Answer) -> Inputs:
    """Other rows, or those that are given if the network asks more of its input than its type."""
    other = Inputs(names=rows.names, tensors=tuple(tensors), keyword=rows.keyword)
    try:
        logits = answer(other.call(copy_module(model)))
    except Exception:  # any code of the user's
        return rows
    return other if isinstance(logits, Tensor) and bool(logits.isfinite().all()) else rows


def _scale(tensor: Tensor) -> Tensor:
    """Rows of floats in several sizes."""
    if not tensor.is_floating_point():
        return tensor
    sizes = torch.tensor(_SIZES[: len(tensor)]).to(tensor)
    return tensor * sizes.view(-1, *[1] * (tensor.ndim - 1))


def _vary(tensor: Tensor, generator: torch.Generator) -> Tensor:
    if not tensor.is_floating_point():
        return torch.stack([row.reshape(-1).roll(at).reshape(row.shape) for at, row in enumerate(tensor)])
    low, high = float(tensor.min()), float(tensor.max())
    high = high if high > low else low + 1
    noise = torch.rand(tensor.shape, generator=generator).to(tensor)
    return low + (high - low) * noise
