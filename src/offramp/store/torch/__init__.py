"""What is stored of a graph whose bodies are PyTorch modules: its steps and its weights."""

from ._artifact import Origin as Origin
from ._artifact import load_artifact as load_artifact
from ._artifact import save_artifact as save_artifact
from ._steps import STEPS as STEPS
