"""Where networks come from: the zoo, torchvision, timm, or the user's own code."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from offramp.data import import_extra
from offramp.errors import CaptureError, OptionError, UnknownReference, suggest

from ._zoo import ZOO

KINDS = ("zoo", "torchvision", "timm", "hf")
Arguments = Mapping[str, Any]  # Any: JSON, handed to the builder as keywords


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A fresh network and what its origin knows of it.

    Attributes:
        module: The network, with random weights unless the origin brings its own.
        shapes: Shape of one sample, by the name of the input; () where it is unknown.
        vocabulary: Number of tokens, for networks that read texts; 0 for pictures and features.
        mean: Mean of each channel that the weights expect to be subtracted from pixels in [0, 1]; None if unknown.
        std: Standard deviation of each channel that they expect to be divided by; None if unknown.
        classes_argument: Keyword of the builder that sets the number of classes; None if there is none.
        class_names: Names of the outputs in their order; None if the origin has none.
    """

    module: nn.Module
    shapes: Mapping[str, tuple[int, ...]]
    vocabulary: int = 0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    classes_argument: str | None = None
    class_names: tuple[str, ...] | None = None


def from_zoo(name: str, arguments: Arguments) -> Source:
    """A network that offramp brings along.

    Args:
        name: One of `ZOO`.
        arguments: Keywords for the builder, such as {"classes": 100}.

    Returns:
        The network with random weights.

    Raises:
        UnknownReference: There is no such network.
        CaptureError: The builder fails for these arguments.
    """
    if name not in ZOO:
        raise UnknownReference(f"the zoo has {', '.join(ZOO)}, but not {name!r}. {suggest(name, ZOO)}")
    entry = ZOO[name]
    module = _call(entry.build, {"classes": entry.classes, **arguments}, f"zoo:{name}")
    return Source(module=module, shapes={"x": entry.shape}, mean=entry.mean, std=entry.std, classes_argument="classes")


def from_torchvision(name: str, arguments: Arguments) -> Source:
    """A classifier of torchvision without weights; size, mean and std are those of its default weights.

    Args:
        name: Name of the model in torchvision.
        arguments: Keywords for the builder, such as {"num_classes": 10}.

    Returns:
        The network with random weights.

    Raises:
        UnknownReference: There is no such classifier.
        OptionError: The arguments ask for weights, which would be downloaded.
        CaptureError: The builder fails for these arguments.
        MissingExtra: torchvision is not installed.
    """
    models = import_extra("torchvision.models", "vision")
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownReference(f"torchvision has no classifier {name!r}. {suggest(name, known)}")
    _refuse_downloads(arguments)
    # these two warn and draw weights for minutes unless they are asked not to
    quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = _call(models.get_model, {"name": name, "weights": None, **quiet, **arguments}, f"torchvision:{name}")
    preset = models.get_model_weights(name).DEFAULT.transforms()
    # a vision transformer fixes its size, and its default weights may be of another one (vit_h_14: 518)
    size = module.image_size if isinstance(module, models.VisionTransformer) else preset.crop_size[0]
    return Source(
        module=module,
        shapes={"x": (3, int(size), int(size))},
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        classes_argument="num_classes",
    )


def from_timm(name: str, arguments: Arguments) -> Source:
    """A classifier of timm without weights; size, mean and std are those of its default configuration.

    Args:
        name: Name of the model in timm.
        arguments: Keywords for the builder, such as {"num_classes": 10}.

    Returns:
        The network with random weights.

    Raises:
        UnknownReference: There is no such model.
        OptionError: The arguments ask for weights, which would be downloaded.
        CaptureError: The builder fails for these arguments.
        MissingExtra: timm is not installed.
    """
    timm = import_extra("timm", "vision")
    if not timm.is_model(name.partition(".")[0]):
        raise UnknownReference(f"timm has no model {name!r}. {suggest(name, timm.list_models())}")
    _refuse_downloads(arguments)
    module = _call(timm.create_model, {"model_name": name, "pretrained": False, **arguments}, f"timm:{name}")
    config = timm.data.resolve_model_data_config(module)
    return Source(
        module=module,
        shapes={"x": tuple(config["input_size"])},
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        classes_argument="num_classes",
    )


def from_code(reference: str, arguments: Arguments) -> Source:
    """What `package.module:callable` gives when called, or a copy of the module that it names.

    Args:
        reference: An importable module and a name in it, with a colon between; the working folder is looked in first.
        arguments: Keywords for the callable.

    Returns:
        The network with the weights that the code gives it; its input shape is unknown.

    Raises:
        UnknownReference: The module cannot be imported, has no such name, or gives something else than a module.
        CaptureError: The callable fails for these arguments.
    """
    place, _, name = reference.partition(":")
    found = vars(_import_code(place, reference)).get(name)
    if found is None:
        public = [key for key, value in vars(sys.modules[place]).items() if callable(value) and key[0] != "_"]
        raise UnknownReference(f"{place} must define {name!r}, but does not. {suggest(name, public)}")
    module = copy.deepcopy(found) if isinstance(found, nn.Module) else _call(found, arguments, reference)
    if not isinstance(module, nn.Module):
        raise UnknownReference(
            f"{reference} must give a torch.nn.Module, but gives {type(module).__name__}. Name its builder."
        )
    return Source(module=module, shapes={"x": ()})


def _refuse_downloads(arguments: Arguments) -> None:
    asked = [name for name in ("weights", "pretrained") if arguments.get(name)]
    if asked:
        raise OptionError(f"weights are never downloaded, but {asked} would. Save them and name the file as weights.")


def _call(build: Callable[..., Any], arguments: Arguments, reference: str) -> Any:  # Any: the user's own builder
    try:
        return build(**arguments)
    except Exception as error:  # a builder may raise anything; the user needs to know which builder did
        raise CaptureError(
            f"{reference} must give a network for the arguments {dict(arguments)}, but raised "
            f"{type(error).__name__}: {error}. Change the arguments or the code."
        ) from error


def _import_code(place: str, reference: str) -> ModuleType:
    try:
        with _working_folder_importable():
            return importlib.import_module(place)
    except (ImportError, ValueError, SyntaxError) as error:
        raise UnknownReference(
            f"{reference} must name a callable in an importable module, but {place!r} fails: {error}. "
            f"{suggest(place, KINDS)} Write package.module:callable or one of {', '.join(KINDS)} with :NAME."
        ) from error


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    """As `python -m` does it: a user's model.py lies in the working folder."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
