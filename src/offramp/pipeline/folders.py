"""What is done with the folder of a finished run, step by step; no PyTorch.

The commands `offramp predict`, `sweep` and `check` do these steps in a row.
"""

from ._answers import write_answers as write_answers
from ._check import Question as Question
from ._check import watch_for as watch_for
from ._opened import Opened as Opened
from ._opened import open_run as open_run
from ._predict import open_runtime as open_runtime
from ._predict import open_samples as open_samples
from ._predict import to_rows as to_rows
