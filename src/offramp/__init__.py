"""offramp makes a trained network spend on each input only the compute that this input needs.

`optimize` and `load`, the run that they give and the options that they take are here; the verbs are reached as modules,
such as `from offramp import attach, learn, export`. Nothing is loaded before it is used, least of all PyTorch.
"""

from typing import TYPE_CHECKING

from offramp import errors as errors

if TYPE_CHECKING:  # what __getattr__ gives, for those who read types
    from offramp.decide import Target as Target
    from offramp.graph import Graph as Graph
    from offramp.pipeline import Engine as Engine
    from offramp.pipeline import Exits as Exits
    from offramp.pipeline import Progress as Progress
    from offramp.pipeline import Search as Search
    from offramp.pipeline import Training as Training
    from offramp.pipeline import load as load
    from offramp.pipeline import optimize as optimize
    from offramp.pipeline._run import Run as Run

__version__ = "0.1.0"

_PLACES = {
    "Graph": "offramp.graph",
    "Run": "offramp.pipeline._run",
    "Target": "offramp.decide",
    **dict.fromkeys(("Engine", "Exits", "Progress", "Search", "Training", "load", "optimize"), "offramp.pipeline"),
}


def __getattr__(name: str) -> object:
    """A name of the library, loaded when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'offramp' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value  # from now on without a detour
    return value


def __dir__() -> list[str]:
    """All names, those that are not loaded yet too."""
    return sorted({*globals(), *_PLACES})
