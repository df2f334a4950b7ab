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
        module: With random weights, unless the origin brings its own.
        shapes: Of one sample, by input name; () where nobody knows.
        vocabulary: Number of tokens, for networks that read texts; 0 for pictures and features.
        mean: Per channel, that the weights expect to be subtracted from pixels in [0, 1]; None if nobody knows.
        std: That they expect to be divided by.
        classes_argument: Keyword of the builder that sets the number of classes; None if there is none.
        class_names: In the order of the outputs, if the origin says them.
    """

    module: nn.Module
    shapes: Mapping[str, tuple[int, ...]]
    vocabulary: int = 0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    classes_argument: str | None = None
    class_names: tuple[str, ...] | None = None


def from_zoo(name: str, arguments: Arguments) -> Source:
    """A network of our own."""
    if name not in ZOO:
        raise UnknownReference(f"the zoo has {', '.join(ZOO)}, but not {name!r}. {suggest(name, ZOO)}")
    entry = ZOO[name]
    module = _call(entry.build, {"classes": entry.classes, **arguments}, f"zoo:{name}")
    return Source(module=module, shapes={"x": entry.shape}, mean=entry.mean, std=entry.std, classes_argument="classes")


def from_torchvision(name: str, arguments: Arguments) -> Source:
    """A classifier of torchvision without weights; size, mean and std are those of its default weights."""
    models = import_extra("torchvision.models", "vision")
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownReference(f"torchvision has no classifier {name!r}. {suggest(name, known)}")
    _refuse_downloads(arguments)
    # these two warn and draw weights for minutes unless told not to
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
    """A classifier of timm without weights; size, mean and std are those of its default configuration."""
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
    """What `package.module:callable` gives when called, or the module that it names."""
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
    """As `python -m` does it: a user's model.py lies where he stands."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
