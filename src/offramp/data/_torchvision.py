"""Data sets that torchvision reads from a folder; nothing is downloaded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from offramp.errors import DataError, UnknownReference, suggest

from ._extra import import_extra
from ._pictures import PictureSamples
from ._query import Query

LABELS = ("targets", "labels", "_labels")  # where torchvision's sets keep the classes, by their own habit each
SPLITS = {("ImageNet", "test"): "val", ("OxfordIIITPet", "train"): "trainval"}


def load_torchvision(query: Query) -> PictureSamples:
    """Open one of torchvision's classification sets that lies in a folder already."""
    name, _, folder = query.place.partition(":")
    if not folder:
        raise UnknownReference(
            f"torchvision data must be torchvision:NAME:DIR, but is {query.place!r}. Add the folder."
        )
    datasets = import_extra("torchvision.datasets", "vision")
    if name not in datasets.__all__:
        raise UnknownReference(f"torchvision has no data set {name!r}. {suggest(name, datasets.__all__)}")
    kind = getattr(datasets, name)
    dataset = _open(kind, folder, _part_arguments(kind, query))
    return PictureSamples(
        open_picture=partial(_picture, dataset),
        positions=np.arange(len(dataset)),
        ids=np.array([f"{name}/{query.preferred}/{at}" for at in range(len(dataset))], dtype=np.str_),
        labels=_labels(dataset),
        image_size=query.image_size,
        channels=query.channels,
        class_names=_names(dataset, datasets.DatasetFolder),
    )


def _part_arguments(kind: type, query: Query) -> Mapping[str, object]:
    known = inspect.signature(kind).parameters
    part = query.preferred
    if "train" in known and part != "val":
        return {"train": part == "train"}
    if "split" in known:
        return {"split": SPLITS.get((kind.__name__, part), part)}
    if query.part or "train" in known:
        raise UnknownReference(f"torchvision's {kind.__name__} has no part {part!r}. Leave it out or name another.")
    return {}


def _open(kind: Any, folder: str, arguments: Mapping[str, object]) -> Any:  # Any: torchvision's sets share no type
    try:
        return kind(folder, **arguments)
    except (RuntimeError, OSError, ValueError, TypeError, ImportError) as error:
        raise DataError(
            f"torchvision's {kind.__name__} must lie in {folder}, but: {str(error).rstrip('.')}. "
            "Let torchvision download it there first."
        ) from error


def _labels(dataset: Any) -> NDArray[np.int64]:  # Any: as above
    stored = next((vars(dataset)[name] for name in LABELS if name in vars(dataset)), None)
    if stored is None:  # a few sets keep them elsewhere: read every sample once
        stored = [dataset[at][1] for at in range(len(dataset))]
    labels = np.asarray(stored)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{type(dataset).__name__} must have one class number per picture. Take a classification set.")
    return labels.astype(np.int64)


def _names(dataset: Any, of_folders: type) -> tuple[str, ...] | None:  # Any: as above
    """What the labels are called, if they were numbered by the folders that happen to be there."""
    names = getattr(dataset, "classes", None) if isinstance(dataset, of_folders) else None
    return tuple(names) if names and all(isinstance(name, str) for name in names) else None


def _picture(dataset: Any, at: int) -> Image.Image:  # Any: as above
    picture = dataset[at][0]
    if not isinstance(picture, Image.Image):
        raise DataError(
            f"{type(dataset).__name__} must hold pictures, but holds {type(picture).__name__}. Take another."
        )
    return picture
