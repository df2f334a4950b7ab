"""What a head is, as data: a kind and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offramp.errors import OptionError

Option = bool | int | float | str


@dataclass(frozen=True, slots=True, init=False)
class HeadRecipe:
    """Data from which a head can be built again for any features and number of classes.

    Args:
        kind: "auto", "light", "pool", "conv0" to "conv3", "student", "token" or "layers"; `build_head` checks it.
        **options: What this kind knows, such as `width=96` for "light" and `table="relu | fc 84"` for "layers"; every
            kind knows `confidence=True`, for a head that gives its confidence too.

    Attributes:
        kind: The kind, as given.
        options: Name and value of each option, sorted by name.

    Example:
        >>> recipe = HeadRecipe("light", width=96)
        >>> recipe.to_json()
        {'kind': 'light', 'options': {'width': 96}}
        >>> HeadRecipe.from_json(recipe.to_json()) == recipe
        True
    """

    kind: str
    options: tuple[tuple[str, Option], ...]

    def __init__(self, kind: str = "auto", **options: Option) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "options", tuple(sorted(options.items())))

    @staticmethod
    def parse(text: str) -> HeadRecipe:
        """The recipe of a text such as "light", "conv2:confidence=1" or "layers:pool 2 | relu | fc 84".

        Args:
            text: A kind, and after a colon its options as `name=whole number` between commas; for "layers" the table.

        Returns:
            The recipe; whether the kind and its options exist is checked by `build_head`.

        Raises:
            OptionError: An option is not written as `name=whole number`.

        Example:
            >>> HeadRecipe.parse("light:width=16").to_json()
            {'kind': 'light', 'options': {'width': 16}}
        """
        kind, _, rest = text.partition(":")
        if kind == "layers":
            return HeadRecipe(kind, table=rest.strip())
        options: dict[str, int] = {}
        for part in filter(None, rest.split(",")):
            name, _, value = part.partition("=")
            if not value.isdecimal() or len(value) > 6:  # a million of whatever it is fits nowhere
                raise OptionError(f"a head is written as light or light:width=16,blocks=1, not {text!r}. Fix {part!r}.")
            options[name] = int(value)
        return HeadRecipe(kind, **options)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """The recipe as JSON-able data.

        Returns:
            A dictionary with the entries "kind" and "options".
        """
        return {"kind": self.kind, "options": dict(self.options)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> HeadRecipe:  # Any: JSON
        """The recipe that `to_json` wrote.

        Args:
            data: A mapping with the entry "kind", and "options" if there are any; further entries are ignored.

        Returns:
            An equal recipe.

        Raises:
            OptionError: `data` has no kind, or options that are no mapping.
        """
        kind, options = data.get("kind"), data.get("options", {})
        if not isinstance(kind, str) or not isinstance(options, Mapping):
            raise OptionError(f"a head recipe needs a kind and a mapping of options, but got {dict(data)!r}.")
        return HeadRecipe(kind, **options)
