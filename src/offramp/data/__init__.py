"""From a reference such as `npz:FILE@test` to samples."""

from ._check import check_samples as check_samples
from ._load import load as load
from ._split import split as split
