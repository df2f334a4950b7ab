"""From a model reference to a network that is ready to be captured.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offramp.capture import (
    Answer,
    Logits,
    as_logits,
    find_logits,
    list_outputs,
    locate_logits,
    other_floats,
    pick,
    read_example,
    read_logits,
    refuse_other_numbers,
    warn_of_floats,
)
from offramp.errors import CaptureError, OfframpError, OptionError

from ._huggingface import from_huggingface
from ._sources import Arguments, Source, from_code, from_timm, from_torchvision, from_zoo
from ._weights import infer_classes, load_weights, read_weights

SOURCES: dict[str, Callable[[str, Arguments], Source]] = {
    "zoo": from_zoo,
    "torchvision": from_torchvision,
    "timm": from_timm,
    "hf": from_huggingface,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A classifier in eval mode and all that is needed to capture it, feed it and build it again.

    Attributes:
        module: The network, in eval mode.
        reference: The reference by which it was asked for; None if it was given as an object without one.
        arguments: Keywords that its builder was called with.
        example: Two random samples: a tensor, or a dictionary if the network is called by keyword.
        classes: Number of classes that it tells apart.
        mean: Mean of each channel that the weights expect to be subtracted from pixels in [0, 1]; None if unknown.
        std: Standard deviation of each channel that they expect to be divided by; None if unknown.
        class_names: Names of the outputs in their order; None if the origin of the network has none.
        vocabulary: Number of tokens that a network for texts knows; 0 for all others.
        logits: Which of its outputs holds the logits, if it has several.
    """

    module: nn.Module
    reference: str | None
    arguments: Mapping[str, Any]  # Any: JSON
    example: Tensor | dict[str, Tensor]
    classes: int
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    class_names: tuple[str, ...] | None = None
    vocabulary: int = 0
    logits: Answer = field(default_factory=Answer)

    def find_logits(self, answer: Any) -> Tensor:  # Any: whatever its module answers
        """The logits in what the module answers; of probabilities the logarithm, as a captured network gives it.

        Args:
            answer: What the module returned: a tensor, or tuples and dictionaries of tensors.

        Returns:
            Logits [B, K].

        Raises:
            CaptureError: The answer has no such output.
        """
        return as_logits(find_logits(answer, self.logits.where), self.logits)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs that its graph has."""
        return read_example(self.example).names

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample, by the name of the input."""
        inputs = read_example(self.example)
        return {name: tuple(tensor.shape[1:]) for name, tensor in zip(inputs.names, inputs.tensors, strict=True)}


def load_model(
    reference: str,
    *,
    weights: str | Path | None = None,
    shape: tuple[int, ...] | None = None,
    arguments: Arguments | None = None,
    seed: int = 0,
    logits: Logits = None,
) -> LoadedModel:
    """Build the network that a reference names; nothing is downloaded.

    References: `package.module:callable`, `zoo:NAME`, `torchvision:NAME`, `timm:NAME`, `hf:PATH`. If the weights were
    trained for another number of classes than the builder's usual one, the network is built for theirs.

    Args:
        reference: Name of the network, in one of the forms above.
        weights: Path of a `.pt`, `.pth`, `.th` or `.safetensors` file; without one the weights are random, except for
            `hf:`, whose folder holds them.
        shape: Shape of one sample, without the batch axis; for texts (tokens,). None takes what the origin of the
            network declares.
        arguments: Keywords for the builder, such as {"num_classes": 10}.
        seed: The seed of the random weights and of the example.
        logits: Name or position of the output that holds the logits, if there are several.

    Returns:
        The network in eval mode, with an example of two samples.

    Raises:
        UnknownReference: The reference names nothing.
        WeightsError: The weights do not fit, or cannot be read.
        OptionError: Neither the origin nor `shape` tells what the network reads, or there is no such output.
        CaptureError: The builder fails, or the network does not answer the example with logits.
        MissingExtra: The reference needs a package that is not installed.

    Example:
        >>> loaded = load_model("zoo:lenet5")
        >>> loaded.classes, loaded.shapes
        (10, {'x': (1, 28, 28)})
    """
    arguments = dict(arguments or {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        source, arguments = _build(reference, arguments, weights)
        example = _example(_with_shape(source, shape, reference), reference)
    loaded = prepare(source.module, example, reference, read_logits(logits), reference=reference)
    names = source.class_names
    return replace(
        loaded,
        arguments=arguments,
        mean=source.mean,
        std=source.std,
        class_names=names if names is not None and len(names) == loaded.classes else None,
        vocabulary=source.vocabulary,
    )


def prepare(
    module: nn.Module, example: Tensor | dict[str, Tensor], name: str, answer: Answer, *, reference: str | None
) -> LoadedModel:
    """The network in eval mode, once it is known to answer its example with logits.

    Args:
        module: From the example to logits.
        example: Two samples.
        name: What to call the network in an error.
        answer: Which of its outputs is its answer.
        reference: How it can be built again; None if nobody can say.

    Raises:
        CaptureError: It does not answer so.
    """
    ready = _answering(module.eval(), example, name, answer)
    return LoadedModel(
        module=ready,
        reference=reference,
        arguments={},
        example=example,
        classes=_count_classes(ready, example, name, answer),
        logits=answer,
    )


def _build(reference: str, arguments: dict[str, Any], weights: str | Path | None) -> tuple[Source, dict[str, Any]]:
    state = None if weights is None else read_weights(weights)
    source = _open(reference, arguments)
    if state is None:
        return source, arguments
    keyword = source.classes_argument
    if keyword and keyword not in arguments and (classes := infer_classes(source.module, state)):
        arguments = {**arguments, keyword: classes}
        source = _open(reference, arguments)
    load_weights(source.module, state, str(weights))
    return source, arguments


def _open(reference: str, arguments: Arguments) -> Source:
    kind, _, name = reference.partition(":")
    return SOURCES[kind](name, arguments) if kind in SOURCES else from_code(reference, arguments)


def _with_shape(source: Source, shape: tuple[int, ...] | None, reference: str) -> Source:
    if shape is not None:
        return replace(source, shapes=dict.fromkeys(source.shapes, tuple(shape)))
    if not all(source.shapes.values()):
        raise OptionError(f"{reference} does not say what it reads. Give the shape of a sample, such as (3, 224, 224).")
    return source


def _example(source: Source, reference: str) -> Tensor | dict[str, Tensor]:
    if source.vocabulary:
        ids = {name: torch.ones(2, *shape, dtype=torch.int64) for name, shape in source.shapes.items()}
        return {**ids, "input_ids": torch.randint(source.vocabulary, ids["input_ids"].shape)}
    pictures = {name: torch.rand(2, *shape) for name, shape in source.shapes.items()}
    return pictures if reference.startswith("hf:") else pictures["x"]


def _answering(module: nn.Module, example: Tensor | dict[str, Tensor], reference: str, answer: Answer) -> nn.Module:
    """The network, or itself in float32 if it has weights of another type and does not run on float32 as it is."""
    refuse_other_numbers(module)
    kinds = other_floats(module)
    if kinds:
        try:
            _count_classes(module, example, reference, answer)
        except CaptureError:
            warn_of_floats(reference, kinds)
            return module.float()
    return module


def _count_classes(module: nn.Module, example: Tensor | dict[str, Tensor], reference: str, answer: Answer) -> int:
    inputs = read_example(example)
    shapes = [list(tensor.shape) for tensor in inputs.tensors]
    try:
        with torch.no_grad():
            result = inputs.call(module)
            logits = pick(result, locate_logits(result, answer.where))
    except OfframpError:
        raise
    except Exception as error:  # a network may raise anything on an input that does not suit it
        raise CaptureError(
            f"{reference} must answer inputs {shapes}, but raised {type(error).__name__}: {error}. Give another shape."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2 or logits.shape[1] < 2:
        raise CaptureError(
            f"{reference} must answer 2 samples with logits [2, K], K >= 2, but gave {list_outputs(result)}. "
            "Return logits, or name the output: logits=NAME or INDEX.",
            about=["logits="],
        )
    return int(logits.shape[1])
