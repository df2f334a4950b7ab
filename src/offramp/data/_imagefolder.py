"""Picture files in folders, one folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from offramp.errors import DataError, UnknownReference
from offramp.run import legible

from ._pictures import PictureSamples
from ._query import Query
from ._reference import PARTS

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
LEFT_BEHIND = ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information")  # by systems, not users


def load_imagefolder(query: Query) -> PictureSamples:
    """Find the pictures of DIR/CLASS/ or DIR/PART/CLASS/; without class folders they have no labels.

    Classes are numbered in the order of their names, over all parts together, until somebody says what the network
    calls them. Folders without a picture are no classes, nor are those that systems leave behind.
    Pictures are read as they are stored: a turn that a camera only noted is not made, as torchvision does not.
    """
    root = Path(query.place)
    if not root.is_dir():
        raise DataError(f"imagefolder needs a folder, but {root} is none. Check the path.")
    parts = _parts(root)
    folder = _choose_part(root, parts, query)
    classes = tuple(sorted({name for part in parts or [root] for name in _classes(part)}))
    paths, labels = _find(folder, classes)
    if not paths:
        raise DataError(f"{folder} must hold pictures ({', '.join(ENDINGS[:4])} ...), but has none. Check the path.")
    name = root.resolve().name
    return PictureSamples(
        open_picture=partial(_open, paths),
        positions=np.arange(len(paths)),
        ids=np.array([legible(f"{name}/{path.relative_to(root).as_posix()}") for path in paths]),
        labels=np.array(labels, dtype=np.int64) if classes else None,
        image_size=query.image_size,
        channels=query.channels,
        class_names=tuple(map(legible, classes)) or None,
        read_size=partial(_read_size, paths),
    )


def _parts(root: Path) -> list[Path]:
    """Folders called train, val and test, unless they are classes beside others: a train is a vehicle too."""
    parts = [root / part for part in PARTS if (root / part).is_dir()]
    others = set(_classes(root)) - set(PARTS) if parts else set()
    return [] if others and not any(_classes(part) for part in parts) else parts


def _choose_part(root: Path, parts: list[Path], query: Query) -> Path:
    if not parts and query.part is None:
        return root
    # ImageNet and many others call val what is a test set here
    names = [query.part] if query.part else [query.wish, *(["val"] if query.wish == "test" else [])]
    for name in names:
        if root / str(name) in parts:
            return root / str(name)
    raise UnknownReference(
        f"{root} must have a folder {' or '.join(map(str, names))}, but has {[part.name for part in parts]}. "
        "Name another part."
    )


def _classes(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir() and _is_ours(path) and _has_picture(path)]


def _has_picture(folder: Path) -> bool:
    return any(_is_picture(path, folder) for path in folder.rglob("*"))


def _find(folder: Path, classes: Sequence[str]) -> tuple[list[Path], list[int]]:
    if not classes:
        return _pictures(folder), []
    found = [(path, label) for label, name in enumerate(classes) for path in _pictures(folder / name)]
    return [path for path, _ in found], [label for _, label in found]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if _is_picture(path, folder))


def _is_picture(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder)
    return path.suffix.lower() in ENDINGS and all(map(_is_ours, map(Path, inside.parts))) and not path.is_dir()


def _is_ours(path: Path) -> bool:
    """Not hidden, and not what a system or an archive left behind."""
    return path.name[0] != "." and path.name not in LEFT_BEHIND


def _read_size(paths: list[Path], at: int) -> tuple[int, int]:
    """Height and width, from the head of the file."""
    try:
        with Image.open(paths[at]) as picture:
            return picture.height, picture.width
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise _broken(paths[at], error) from error


def _open(paths: list[Path], at: int) -> Image.Image:
    try:
        with Image.open(paths[at]) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # all that Pillow raises on broken files
        raise _broken(paths[at], error) from error


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} must be a whole picture, but: {error}. Repair or remove it.")
