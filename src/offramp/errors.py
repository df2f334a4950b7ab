"""The error tree of offramp: catch the root, or the one thing you can repair.

OfframpError
├── GraphError          (ValueError)    a conditional graph that breaks a law of its own
├── CaptureError        (ValueError)    a module that cannot be turned into stages, or has no such cut point
├── UnknownReference    (LookupError)   a model or data reference that names nothing
├── WeightsError        (ValueError)    weights that do not fit the network
├── DataError           (ValueError)    samples of the wrong shape, type, range or number
├── EvidenceError       (ValueError)    evidence that is incomplete, or used twice
├── CurveError          (ValueError)    a frontier without the shape that a question needs
├── ThresholdError      (ValueError)    thresholds of the wrong length or value
├── OptionError         (ValueError)    an option outside its range, or two that exclude each other
├── LearnError          (RuntimeError)  a training that cannot go on
├── ExportError         (RuntimeError)  a graph that cannot be written as a file
├── EngineError         (RuntimeError)  what ONNX Runtime or OpenVINO said, translated
├── OutputError         (OSError)       a folder that cannot be written
└── MissingExtra        (ImportError)   an optional technology that is not installed
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Say which of the allowed names comes closest, as the sentence that an error ends with.

    Example:
        >>> suggest("entrpy", ["entropy", "margin"])
        "Did you mean 'entropy'?"
    """
    near = get_close_matches(name, list(allowed), n=1)
    return f"Did you mean {near[0]!r}?" if near else "Check the spelling."


class OfframpError(Exception):
    """Root of all errors that offramp raises on purpose.

    Args:
        args: The sentence.
        about: Names of arguments as they stand in the sentence, such as "target.max_loss", once for each time that
            one is named; whoever asked in other words, as the command line does, says it in those.
    """

    def __init__(self, *args: object, about: Sequence[str] = ()) -> None:
        super().__init__(*args)
        self.about = tuple(about)


class GraphError(OfframpError, ValueError):
    """A conditional graph breaks a law of its own; the message names every offender."""


class CaptureError(OfframpError, ValueError):
    """A module cannot be turned into stages, or has no such cut point."""


class UnknownReference(OfframpError, LookupError):
    """A model or data reference names nothing."""


class WeightsError(OfframpError, ValueError):
    """Weights do not fit the network."""


class DataError(OfframpError, ValueError):
    """Samples of the wrong shape, type, range or number."""


class EvidenceError(OfframpError, ValueError):
    """Evidence is incomplete, or the same samples were used to choose and to prove."""


class CurveError(OfframpError, ValueError):
    """A frontier lacks the shape that the question needs."""


class ThresholdError(OfframpError, ValueError):
    """Thresholds of the wrong length or value."""


class OptionError(OfframpError, ValueError):
    """An option is outside its range, or excludes another."""


class LearnError(OfframpError, RuntimeError):
    """A training cannot go on."""


class ExportError(OfframpError, RuntimeError):
    """A graph cannot be written as a file."""


class EngineError(OfframpError, RuntimeError):
    """What an inference engine said, translated; the original is chained."""


class OutputError(OfframpError, OSError):
    """A folder or file cannot be written."""


class MissingExtra(OfframpError, ImportError):
    """An optional technology is not installed; the message says which pip line installs it."""


class OfframpWarning(UserWarning):
    """Something is done in another way than one may expect; the message says which, and what to do.

    Args:
        args: The sentence.
        about: Names of arguments in it, as for `OfframpError`.
    """

    def __init__(self, *args: object, about: Sequence[str] = ()) -> None:
        super().__init__(*args)
        self.about = tuple(about)
