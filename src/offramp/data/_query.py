"""What every loader is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offramp.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A place and the form in which its samples are wanted.

    Attributes:
        place: What stands behind the colon of the reference.
        part: "train", "val" or "test" if the reference demands it.
        wish: The part to prefer where there are parts and the reference names none.
        tokenizer: Folder of a Hugging Face tokenizer, for texts.
        image_size: Height and width that picture files are brought to; None keeps their own.
        channels: 3 for color, 1 for grey, for picture files.
        max_length: Tokens per text.
        class_names: What the network calls its classes, or None if nobody said.
        warn: Is told why labels cannot be used; without it that is an error.
    """

    place: str
    part: str | None = None
    wish: str = "train"
    tokenizer: str | None = None
    image_size: tuple[int, int] | None = None
    channels: int = 3
    max_length: int = 128
    class_names: tuple[str, ...] | None = None
    warn: Callable[[str], None] | None = None

    @property
    def preferred(self) -> str:
        """The part to read where the place has parts."""
        return self.part or self.wish

    def leave_out_labels(self, reason: str) -> None:
        """Go on without labels that cannot be used, and say why.

        Raises:
            DataError: There is nobody to tell.
        """
        if self.warn is None:
            raise DataError(reason)
        self.warn(f"labels are not used: {reason}")
