"""From a trained network to a conditional graph."""

from ._zoo import ZOO as ZOO
from ._zoo import ZooEntry as ZooEntry
