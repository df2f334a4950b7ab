"""From a trained network to a conditional graph."""

from ._load import LoadedModel as LoadedModel
from ._load import load_model as load_model
from ._zoo import ZOO as ZOO
from ._zoo import ZooEntry as ZooEntry
