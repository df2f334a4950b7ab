"""Runs files with OpenVINO on the CPU, in a precision that is always said aloud."""

from ._runtime import ROUNDED as ROUNDED
from ._runtime import OpenvinoDense as OpenvinoDense
from ._runtime import OpenvinoRuntime as OpenvinoRuntime
from ._runtime import OpenvinoStatic as OpenvinoStatic
from ._runtime import OpenvinoValues as OpenvinoValues
from ._runtime import Precision as Precision
from ._runtime import list_precisions as list_precisions
from ._runtime import load as load
from ._runtime import load_dense as load_dense
from ._runtime import load_static as load_static
from ._runtime import load_values as load_values
