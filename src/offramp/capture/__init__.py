"""From a module to its stages: what it computes, where it can be cut, and whether it can be cut at all."""

from ._answer import Answer as Answer
from ._answer import Logits as Logits
from ._answer import as_logits as as_logits
from ._answer import find_logits as find_logits
from ._answer import list_outputs as list_outputs
from ._answer import locate_logits as locate_logits
from ._answer import pick as pick
from ._answer import read_logits as read_logits
from ._capture import Capture as Capture
from ._capture import capture as capture
from ._cuts import CutPoint as CutPoint
from ._float32 import other_floats as other_floats
from ._float32 import refuse_other_numbers as refuse_other_numbers
from ._float32 import warn_of_floats as warn_of_floats
from ._inputs import Example as Example
from ._inputs import Inputs as Inputs
from ._inputs import read_example as read_example
from ._rows import check_rows as check_rows
