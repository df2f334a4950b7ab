"""From a network to the same network in fewer bits."""

from ._nncf import check_installed as check_installed
from ._nncf import quantize_model as quantize_model
from ._quantize import Quantized as Quantized
from ._quantize import Sensitivity as Sensitivity
from ._quantize import check_sizes as check_sizes
from ._quantize import quantize as quantize
