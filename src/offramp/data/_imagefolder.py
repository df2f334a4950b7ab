"""Picture files in folders, one folder per class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from offramp.errors import DataError, UnknownReference
from offramp.run import legible

from ._pictures import PictureSamples
from ._reference import PARTS
from ._request import Request

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")


def load_imagefolder(request: Request) -> PictureSamples:
    """Find the pictures of DIR/CLASS/ or DIR/PART/CLASS/; without class folders they have no labels.

    Classes are numbered in the order of their names, over all parts together.
    """
    root = Path(request.place)
    if not root.is_dir():
        raise DataError(f"imagefolder needs a folder, but {root} is none. Check the path.")
    parts = [root / part for part in PARTS if (root / part).is_dir()]
    folder = _choose_part(root, parts, request)
    classes = sorted({name for part in parts or [root] for name in _folders(part)})
    paths, labels = _find(folder, classes)
    if not paths:
        raise DataError(f"{folder} must hold pictures ({', '.join(ENDINGS[:4])} ...), but has none. Check the path.")
    name = root.resolve().name
    return PictureSamples(
        open_picture=partial(_open, paths),
        positions=np.arange(len(paths)),
        ids=np.array([legible(f"{name}/{path.relative_to(root).as_posix()}") for path in paths]),
        labels=np.array(labels, dtype=np.int64) if classes else None,
        image_size=request.image_size,
        channels=request.channels,
    )


def _choose_part(root: Path, parts: list[Path], request: Request) -> Path:
    if not parts and request.part is None:
        return root
    # ImageNet and many others call val what is a test set here
    names = [request.part] if request.part else [request.wish, *(["val"] if request.wish == "test" else [])]
    for name in names:
        if root / str(name) in parts:
            return root / str(name)
    raise UnknownReference(
        f"{root} must have a folder {' or '.join(map(str, names))}, but has {[part.name for part in parts]}. "
        "Name another part."
    )


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _find(folder: Path, classes: list[str]) -> tuple[list[Path], list[int]]:
    if not classes:
        return _pictures(folder), []
    found = [(path, label) for label, name in enumerate(classes) for path in _pictures(folder / name)]
    return [path for path, _ in found], [label for _, label in found]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.name[0] != ".")


def _open(paths: list[Path], at: int) -> Image.Image:
    try:
        with Image.open(paths[at]) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # all that Pillow raises on broken files
        raise DataError(f"{paths[at]} must be a whole picture, but: {error}. Repair or remove it.") from error
