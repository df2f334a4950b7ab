"""From a graph to a file; each format is a module of its own: `from offramp.export import onnx`."""

from ._departure import Departure as Departure
from ._departure import find_departure as find_departure
