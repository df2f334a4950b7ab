"""The chain as a library: from a network and samples to a folder with a promise."""

from ._engine import Engine as Engine
from ._exits import Exits as Exits
from ._search import Search as Search
from ._training import Training as Training
