"""From a graph to a file; each format is a module of its own: `from offramp.export import onnx`."""

from ._artifact import Origin as Origin
from ._artifact import load_artifact as load_artifact
from ._artifact import save_artifact as save_artifact
from ._departure import Departure as Departure
from ._departure import find_departure as find_departure
from ._static import backbone as backbone
from ._static import head_alone as head_alone
from ._static import nothing as nothing
from ._static import static_path as static_path
from ._static_route import static_route as static_route
