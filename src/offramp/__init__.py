"""offramp makes a trained network spend on each input only the compute that this input needs.

The verbs are reached as modules, so that nobody loads PyTorch who does not need it:
`from offramp import build, learn, export`.
"""

from offramp import errors as errors
from offramp.graph import Graph as Graph

__version__ = "0.1.0"
