"""A network as a text that reads like its paper: "conv 5x5 10 pad 3 | pool 2 | relu | fc 84".

Shape letters: B batch, C channels, H W space, D features.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import torch
from torch import nn

from offramp.errors import OptionError, suggest

from ._basic_block import BasicBlock
from ._lrn import ResponseNorm
from ._select_features import SelectFeatures

Shape = tuple[int, ...]
Build = Callable[[Shape, Mapping[str, str | None]], nn.Module]


def build_layers(table: str, shape: Sequence[int]) -> tuple[nn.Sequential, Shape]:
    """The layers that a table names, with fresh weights, and the shape of what they give.

    Layers are separated by bars or line ends:

    | written | meaning |
    |---|---|
    | `conv 5x5 10 stride 2 pad 3` | convolution to 10 channels with biases; stride 1 and padding 0 unless given |
    | `pool 3/2` | max pooling of 3x3 (at most the whole map) with stride 2; `pool 2` has stride 2. Sizes rounded up |
    | `avgpool 6/1` | mean pooling, sizes rounded down |
    | `relu`, `bn` | ReLU, batch normalization |
    | `lrn` | local response normalization over 3 channels with alpha 5e-5 per channel, beta 0.75 and k 2 |
    | `block 32 stride 2` | residual block of two 3x3 convolutions, see `BasicBlock`; biases, new channels in front |
    | `flatten`, `fc 84` | linear layer to 84 features; a map is flattened before it |
    | `dropout 0.5` | share of the features that training drops |
    | `take 2 0 1` | the features of these numbers, in this order |

    The n-th convolution is called `conv1`, `conv2`, ..., and the others likewise. Weights come from PyTorch's global
    generator.

    Args:
        table: The layers as a text, in the order in which they run; "" means no layer.
        shape: Shape of one sample, without the batch axis: (C, H, W) or (D).

    Returns:
        The layers as one module, and the shape of what they give for one sample.

    Raises:
        OptionError: A layer that is written in another way, or cannot read what the one before it gives.

    Example:
        >>> layers, shape = build_layers("conv 5x5 5 pad 3 | pool 2 | relu | fc 84", (1, 28, 28))
        >>> [name for name, _ in layers.named_children()], shape
        (['conv1', 'pool1', 'relu1', 'flatten1', 'fc1'], (84,))
    """
    sizes = tuple(int(size) for size in shape)
    counts: Counter[str] = Counter()
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for line in split_table(table):
        for word, layer in _read(line, sizes):
            counts[word] += 1
            layers[f"{word}{counts[word]}"] = layer
            sizes = _shape_behind(layer, sizes, line)
    return nn.Sequential(layers), sizes


def split_table(table: str) -> list[str]:
    """The layers of a table, one text each, with single spaces.

    Args:
        table: Layers between bars or line ends.

    Returns:
        One text per layer, empty ones left out.

    Example:
        >>> split_table(" pool  2 | relu ")
        ['pool 2', 'relu']
    """
    return [" ".join(line.split()) for line in re.split(r"[|\n]", table) if line.strip()]


def _read(line: str, shape: Shape) -> Iterator[tuple[str, nn.Module]]:
    """The layers of one line, each with its word."""
    word, _, rest = line.partition(" ")
    if word not in _LAYERS:
        raise OptionError(f"a layer must be one of {', '.join(_LAYERS)}, but got {line!r}. {suggest(word, _LAYERS)}")
    form, ranks, build = _LAYERS[word]
    found = re.fullmatch(form, rest)
    if found is None:
        raise OptionError(f"a layer {word!r} is written like {_EXAMPLES[word]!r}, but got {line!r}. Write it so.")
    if word == "fc" and len(shape) > 1:
        yield "flatten", nn.Flatten()
        shape = (prod(shape),)
    if len(shape) not in ranks:
        raise OptionError(f"layer {line!r} cannot read features {shape}. Put it before the layer that flattens them.")
    yield word, build(shape, found.groupdict())


def _shape_behind(layer: nn.Module, shape: Shape, line: str) -> Shape:
    """Found by running the layer once: no formula of ours can differ from what it does."""
    try:
        with torch.no_grad():
            given = layer.eval()(torch.zeros(1, *shape))
    except RuntimeError as error:
        raise OptionError(f"layer {line!r} does not fit features {shape}: {error}. Take a smaller one.") from error
    layer.train()
    return tuple(given.shape[1:])


def _number(value: str | None, default: int) -> int:
    return default if value is None else int(value)


def _conv(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    size, width = _number(given["size"], 1), _number(given["width"], 1)
    stride, pad = _number(given["stride"], 1), _number(given["pad"], 0)
    return nn.Conv2d(shape[0], width, size, stride=stride, padding=pad)


def _pool(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    size = _number(given["size"], 1)
    window = (min(size, shape[1]), min(size, shape[2]))  # what sticks out of the map holds nothing
    return nn.MaxPool2d(window, _number(given["stride"], size), ceil_mode=True)


def _avgpool(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    size = _number(given["size"], 1)
    return nn.AvgPool2d(size, _number(given["stride"], size))


def _block(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    width, stride = _number(given["width"], 1), _number(given["stride"], 1)
    if width < shape[0]:
        raise OptionError(f"a block cannot drop channels, but block {width} reads {shape[0]}. Write block {shape[0]}.")
    return BasicBlock(shape[0], width, stride, bias=True, zeros="front")


def _take(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    numbers = [int(number) for number in (given["numbers"] or "").split()]
    if max(numbers) >= shape[0]:
        raise OptionError(f"take reads {shape[0]} features, numbered from 0, but names number {max(numbers)}.")
    return SelectFeatures(numbers)


def _norm(shape: Shape, given: Mapping[str, str | None]) -> nn.Module:
    return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])


_N = r"[1-9]\d{0,4}"
_WINDOW = rf"(?P<size>{_N})(?:/(?P<stride>{_N}))?"
_STRIDE = rf"(?: stride (?P<stride>{_N}))?"
_ANY, _MAP, _VECTOR = (1, 3), (3,), (1,)
# By word: how the rest of the line is written, ranks of the features that it reads, and the layer.
_LAYERS: Mapping[str, tuple[str, tuple[int, ...], Build]] = {
    "conv": (rf"(?P<size>{_N})x(?P=size) (?P<width>{_N}){_STRIDE}(?: pad (?P<pad>\d{{1,4}}))?", _MAP, _conv),
    "pool": (_WINDOW, _MAP, _pool),
    "avgpool": (_WINDOW, _MAP, _avgpool),
    "relu": ("", _ANY, lambda shape, given: nn.ReLU()),
    "bn": ("", _ANY, _norm),
    "lrn": ("", _MAP, lambda shape, given: ResponseNorm()),
    "block": (rf"(?P<width>{_N}){_STRIDE}", _MAP, _block),
    "flatten": ("", _ANY, lambda shape, given: nn.Flatten()),
    "fc": (rf"(?P<width>{_N})", _VECTOR, lambda shape, given: nn.Linear(shape[0], _number(given["width"], 1))),
    "take": (r"(?P<numbers>\d{1,5}(?: \d{1,5})*)", _VECTOR, _take),
    "dropout": (r"(?P<share>0?\.\d+)", _ANY, lambda shape, given: nn.Dropout(float(given["share"] or 0))),
}
_EXAMPLES: Mapping[str, str] = {
    "conv": "conv 3x3 64 stride 2 pad 1",
    "pool": "pool 3/2",
    "avgpool": "avgpool 6/1",
    "block": "block 32 stride 2",
    "fc": "fc 84",
    "dropout": "dropout 0.5",
    "take": "take 2 0 1",
    **{word: word for word in ("relu", "bn", "lrn", "flatten")},
}
