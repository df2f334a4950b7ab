"""Pictures that are decoded when they are taken.

Shape letters: B batch, C channels, H W space, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from offramp.errors import DataError
from offramp.run import Positions, Samples

CROP = 0.875  # of the shorter side that the center crop keeps: 224 of 256, as most ImageNet networks are evaluated
LOOKED_AT = 256  # pictures that are opened to learn their sizes
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # modes with more than 8 bits, which Pillow would clip


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSamples:
    """Samples of one picture each, given as `x` [B, C, H, W] in [0, 1].

    Attributes:
        open_picture: From a position in the whole collection to a picture.
        positions: Which of the collection belong here, in order.
        ids: One unique name per sample [S].
        labels: The right class of each sample [S], or None.
        image_size: Height and width to bring pictures to; None keeps their own.
        channels: 3 for color, 1 for grey.
        class_names: What the labels are called, by number; None if the numbers are all that is known.
        read_size: From a position to height and width, without decoding the picture; None if it must be opened.
    """

    open_picture: Callable[[int], Image.Image]
    positions: NDArray[np.int64]
    ids: NDArray[np.str_]
    labels: NDArray[np.int64] | None
    image_size: tuple[int, int] | None = None
    channels: int = 3
    class_names: tuple[str, ...] | None = None
    read_size: Callable[[int], tuple[int, int]] | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.positions)

    def take(self, positions: Positions) -> dict[str, NDArray[Any]]:  # Any: as the protocol has it; float32 here
        """Decode some of the pictures, batch axis first."""
        wanted = self.positions[_index(positions)]
        return {"x": self._stack([self._decode(int(at)) for at in wanted])}

    def subset(self, positions: Positions) -> PictureSamples:
        """Give some of the samples, in the given order."""
        chosen = _index(positions)
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, positions=self.positions[chosen], ids=self.ids[chosen], labels=labels)

    def __iter__(self) -> Iterator[tuple[dict[str, NDArray[Any]], int | None]]:  # Any: as above
        """Give one sample after the other, with a batch axis of 1."""
        for at in range(len(self)):
            yield self.take([at]), None if self.labels is None else int(self.labels[at])

    def sizes(self) -> set[tuple[int, int]]:
        """Heights and widths of the pictures as they are stored: of all whose heads can be read, else of some."""
        if self.read_size is not None:
            return {self.read_size(int(at)) for at in self.positions}
        some = self.positions[np.unique(np.linspace(0, len(self) - 1, min(len(self), LOOKED_AT)).astype(np.int64))]
        opened = (self.open_picture(int(at)) for at in some)
        return {(picture.height, picture.width) for picture in opened}

    def _decode(self, at: int) -> NDArray[np.uint8]:
        try:
            picture = self.open_picture(at)
            if picture.mode in DEEP:
                raise DataError(f"pictures must have 8 bits per channel, but one is {picture.mode}. Convert it.")
            picture = picture.convert("RGB" if self.channels == 3 else "L")
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # all that Pillow raises on broken files
            raise DataError(f"every file must be a whole picture, but: {error}. Repair or remove it.") from error
        pixels = np.asarray(picture if self.image_size is None else fit(picture, self.image_size))
        return pixels.reshape(*pixels.shape[:2], self.channels)

    def _stack(self, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        shapes = sorted({picture.shape[:2] for picture in pictures})
        if len(shapes) > 1:
            raise DataError(f"pictures must have one size, but have {shapes[:9]}. Give an image size.")
        if not pictures:
            return np.zeros((0, self.channels, *(self.image_size or (0, 0))), np.float32)
        channels_first = np.stack(pictures).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(channels_first, dtype=np.float32) / np.float32(255)


def stored_sizes(samples: Samples) -> set[tuple[int, int]]:
    """Heights and widths of picture files as they are stored; empty for samples that are no picture files.

    Args:
        samples: Samples of any kind.

    Returns:
        The pairs of height and width that occur.
    """
    return samples.sizes() if isinstance(samples, PictureSamples) else set()


def fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a picture to a height and width: shrink it to 8/7 of that, keeping its proportions, and crop the center.

    A picture that has this size already stays as it is.

    Args:
        picture: Of any size.
        size: Height and width.

    Example:
        >>> fit(Image.new("RGB", (500, 300)), (224, 224)).size
        (224, 224)
    """
    height, width = size
    if picture.size == (width, height):
        return picture
    scale = max(height / picture.height, width / picture.width) / CROP
    whole = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    resized = picture.resize(whole, Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + width, top + height))


def _index(positions: Positions) -> slice | NDArray[np.int64]:
    return positions if isinstance(positions, slice) else np.asarray(positions, dtype=np.int64)
