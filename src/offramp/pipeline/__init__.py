"""The whole way from a trained network and samples to a folder that ships, and the run that it holds."""

from ._run import Run as Run
from ._run import load as load
