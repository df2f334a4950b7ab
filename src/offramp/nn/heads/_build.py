"""From a recipe to a head."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import nn

from offramp.errors import OptionError, suggest
from offramp.nn._pooled import check_features

from ._confident import add_confidence
from ._conv import build_conv
from ._layers import build_layer_head
from ._light import build_light
from ._pool import build_pool, build_token_pool
from ._recipe import HeadRecipe
from ._student import build_student
from ._text_cnn import build_text_cnn
from ._token import build_token, build_vector

Builder = Callable[..., nn.Module]

# One table per rank of one sample's features: 1 vector, 2 tokens, 3 picture; and one for token numbers.
_CONV: Mapping[str, Builder] = {f"conv{count}": partial(build_conv, repeats=count) for count in range(4)}
_VECTOR: Mapping[str, Builder] = {
    "auto": build_pool,
    "pool": build_pool,
    "light": build_vector,
    "token": build_vector,
    "layers": build_layer_head,
    **dict.fromkeys(_CONV, build_vector),
}
_TOKENS: Mapping[str, Builder] = {
    "auto": build_token,
    "pool": build_token_pool,
    "light": build_token,
    "token": build_token,
}
_NUMBERS: Mapping[str, Builder] = {"auto": build_text_cnn, "light": build_text_cnn, "student": build_text_cnn}
_PICTURE: Mapping[str, Builder] = {
    "auto": build_light,
    "pool": build_pool,
    "light": build_light,
    "student": build_student,
    "layers": build_layer_head,
    **_CONV,
}
_BUILDERS: Mapping[int, Mapping[str, Builder]] = {1: _VECTOR, 2: _TOKENS, 3: _PICTURE}
_KINDS = ("auto", "light", "pool", *_CONV, "student", "token", "layers")


def build_head(recipe: HeadRecipe, shape: Sequence[int], classes: int, *, dtype: str = "float32") -> nn.Module:
    """A head with fresh weights: features [B, *shape] -> logits [B, classes].

    "auto" and "light" take what suits the features: strided and separable convolutions on maps, class token
    and mean on tokens, linear layers on vectors. With the option `confidence`, which every kind knows, the head gives
    its confidence [B] as well: see `ConfidentHead`. Weights come from PyTorch's global generator. Heads for tokens
    [B, T, D] and token numbers [B, T] also take a mask [B, T], which is 0 at padding.

    Args:
        recipe: Kind of the head and its options.
        shape: Shape of one sample's features, without the batch axis: (D), (T, D), (C, H, W), or (H, W, C) if square.
        classes: Number of logits, at least 2.
        dtype: Type of the features, such as "float32"; integers of shape (T) are token numbers, and the recipe must
            then hold the size of the vocabulary.

    Returns:
        The head as a module in training mode.

    Raises:
        OptionError: No such kind, a kind that does not fit these features, or an option that it does not know.

    Example:
        >>> head = build_head(HeadRecipe("pool"), (16, 32, 32), 10)
        >>> sum(weight.numel() for weight in head.parameters())
        170
    """
    sizes = check_features(shape)
    if classes < 2:
        raise OptionError(f"a head needs at least 2 classes, but got classes={classes}.")
    builder = _choose(recipe.kind, sizes, dtype)
    options = dict(recipe.options)
    _check_options(recipe.kind, builder, options)
    confident = options.pop("confidence", False)
    head = builder(sizes, classes, **options)
    return add_confidence(head) if confident else head


def _choose(kind: str, sizes: tuple[int, ...], dtype: str) -> Builder:
    if kind not in _KINDS:
        raise OptionError(f"a head kind must be one of {', '.join(_KINDS)}, but got {kind!r}. {suggest(kind, _KINDS)}")
    fitting = _NUMBERS if len(sizes) == 1 and "int" in dtype else _BUILDERS[len(sizes)]
    if kind not in fitting:
        raise OptionError(f"head kind {kind!r} cannot read features {sizes}. Use one of {', '.join(fitting)}.")
    return fitting[kind]


def _check_options(kind: str, builder: Builder, options: Mapping[str, object]) -> None:
    known: dict[str, object] = {"confidence": False} | {
        name: parameter.default
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "repeats"
    }
    unknown = [name for name in options if name not in known]
    if unknown:
        allowed = ", ".join(known) or "none"
        raise OptionError(f"head kind {kind!r} knows the options: {allowed}; but got {', '.join(unknown)}.")
    wrong = [name for name, value in options.items() if not _fits(value, known[name])]
    if wrong:
        raise OptionError(
            f"head options must be like their defaults {known} (1 is True, 0 False), and counts positive, but got "
            f"{dict(options)}."
        )


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool):
        return isinstance(value, int) and value in (0, 1)
    if type(value) is not type(default):
        return False
    return isinstance(value, str) or (isinstance(value, int) and value >= 1)
