"""The whole way from a trained network and samples to a folder that ships, and the run that it holds.

Nothing heavy is loaded for these names: it is when they are called.
"""

from ._call import load as load
from ._call import optimize as optimize
from ._engine import Engine as Engine
from ._exits import Exits as Exits
from ._progress import Listener as Listener
from ._progress import Progress as Progress
from ._search import Search as Search
from ._training import Training as Training
