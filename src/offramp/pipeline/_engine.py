"""The engines by name: each loads the conditional file, its dense twin, and a network without conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from offramp.errors import OptionError

from ._ranges import find_outside, find_unknown, refuse

if TYPE_CHECKING:  # options are made without loading what they are for
    from offramp.run import DenseRuntime, Runtime

ENGINES = ("openvino", "onnxruntime")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8", "int8+f32")
KNOWN = {"name": ENGINES, "precision": PRECISIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The engine that runs the file, with its settings: what is measured and proven is measured and proven with it.

    Attributes:
        name: "openvino" or "onnxruntime".
        precision: What the file computes in: "f32", "bf16", "f16", "int8" (stages and heads are quantized after
            training), "int8+f32" (samples of which the file is not sure in 8 bits get the answer of the network in
            float, which is in the file too), or, for `optimize` alone, "auto": of f32, bf16, int8 and int8+f32 what
            takes least time on this machine at the accepted loss.
        threads: CPU threads per call.
        batch: Samples per call, for which exits are chosen.

    Raises:
        OptionError: A value outside its range, or a precision that the engine does not know.

    Example:
        >>> Engine(precision="bf16").name
        'openvino'
    """

    name: str = "openvino"
    precision: str = "f32"
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be, before any work."""
        refuse(
            {
                **find_outside("engine", threads=self.threads, batch=self.batch),
                **find_unknown("engine", KNOWN, name=self.name, precision=self.precision),
            }
        )
        if self.name == "onnxruntime" and self.precision in ("bf16", "f16"):
            raise OptionError(
                f"onnxruntime computes in f32 and int8, but engine.precision is {self.precision}. Choose openvino.",
                about=["engine.precision"],
            )

    def load(self, path: Path) -> Runtime:
        """The conditional network of a file."""
        return cast("Runtime", self._call("load", path))  # as that function is annotated

    def load_dense(self, path: Path) -> DenseRuntime:
        """The network that runs every exit."""
        return cast("DenseRuntime", self._call("load_dense", path))  # as that function is annotated

    def load_static(self, path: Path) -> Callable[[Any], Any]:  # Any: as measure.latency calls it
        """A network without conditions, saved as a dense file."""
        return cast(
            "Callable[[Any], Any]", self._call("load_static" if self.name == "openvino" else "load_dense", path)
        )

    def _call(self, function: str, path: Path) -> object:
        if self.name == "openvino":
            from offramp.run import openvino

            return vars(openvino)[function](path, precision=self.precision, threads=self.threads)
        from offramp.run import onnx

        return vars(onnx)[function](path, threads=self.threads)
