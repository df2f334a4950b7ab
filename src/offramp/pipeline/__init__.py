"""The whole way from a trained network and samples to a folder that ships, and the run that it holds."""

from ._engine import Engine as Engine
from ._exits import Exits as Exits
from ._run import Run as Run
from ._run import load as load
from ._search import Search as Search
from ._training import Training as Training
