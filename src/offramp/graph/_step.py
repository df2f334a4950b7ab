"""One step on the way to a graph, as data: a name and options, which a file can hold."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:  # a graph needs no NumPy until a step with arrays is read
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]  # any shape, any dtype

SMALL = 64  # numbers of an array that are written into the JSON form itself
_ARRAY, _TENSOR = "$array", "$tensor"


class Step(ABC):
    """A frozen dataclass whose fields hold everything that the step needs, what data decided included.

    Fields are made of None, booleans, numbers, texts, tuples, mappings with texts as keys, and NumPy arrays.

    Attributes:
        name: By which a file names this kind of step.
    """

    name: ClassVar[str]

    def to_json(self) -> tuple[dict[str, Any], dict[str, Array]]:  # Any: JSON
        """The JSON form, and the arrays that are too large for it by the name that it gives them.

        Returns:
            `{"pass": name, "options": {...}}`, in which an array of more than 64 numbers is `{"$tensor": "its name"}`.
        """
        arrays: dict[str, Array] = {}
        options = {one.name: _encode(getattr(self, one.name), one.name, arrays) for one in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        return {"pass": self.name, "options": options}, arrays

    @classmethod
    def from_json(cls, data: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:  # Any: JSON
        """The step that `to_json` described.

        Args:
            data: The JSON form.
            arrays: The large arrays, by the names that the JSON form gives them.

        Returns:
            A step that is equal to the one that was described.
        """
        return cls(**{name: _decode(value, arrays) for name, value in data["options"].items()})


def _encode(value: Any, path: str, arrays: dict[str, Array]) -> Any:  # Any: as the fields of a step, and JSON
    if isinstance(value, Mapping):
        return {key: _encode(inner, f"{path}/{key}", arrays) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(inner, f"{path}/{at}", arrays) for at, inner in enumerate(value)]
    if not hasattr(value, "dtype"):
        return value
    if value.size <= SMALL:
        return {_ARRAY: value.tolist(), "dtype": str(value.dtype)}
    arrays[path] = value
    return {_TENSOR: path}


def _decode(value: Any, arrays: Mapping[str, Array]) -> Any:  # Any: JSON, and as the fields of a step
    if isinstance(value, list):
        return tuple(_decode(inner, arrays) for inner in value)
    if not isinstance(value, Mapping):
        return value
    if _TENSOR in value:
        return arrays[value[_TENSOR]]
    if _ARRAY in value:
        import numpy as np  # here alone: see above

        return np.array(value[_ARRAY], value["dtype"])
    return {key: _decode(inner, arrays) for key, inner in value.items()}
