"""The engines by name: each loads the conditional file, its dense twin, and a network without conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from offramp.errors import OptionError
from offramp.run import DenseRuntime, Runtime

from ._request import ENGINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine with its settings.

    Attributes:
        name: "openvino" or "onnxruntime".
        precision: What it computes in.
        threads: CPU threads per call.
    """

    name: str
    precision: str = "f32"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise OptionError(f"--engine must be {' or '.join(ENGINES)}, but is {self.name!r}. Choose one of them.")

    def load(self, path: Path) -> Runtime:
        """The conditional network of a file."""
        return cast(Runtime, self._call("load", path))  # as that function is annotated

    def load_dense(self, path: Path) -> DenseRuntime:
        """The network that runs every exit."""
        return cast(DenseRuntime, self._call("load_dense", path))  # as that function is annotated

    def load_static(self, path: Path) -> Callable[[Any], Any]:  # Any: as measure.latency calls it
        """A network without conditions, saved as a dense file."""
        return cast(Callable[[Any], Any], self._call("load_static" if self.name == "openvino" else "load_dense", path))

    def _call(self, function: str, path: Path) -> object:
        if self.name == "openvino":
            from offramp.run import openvino

            return vars(openvino)[function](path, precision=self.precision, threads=self.threads)
        from offramp.run import onnx

        return vars(onnx)[function](path, threads=self.threads)
