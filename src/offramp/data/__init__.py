"""From a reference such as `npz:FILE@test` to samples."""

from ._check import check_samples as check_samples
from ._extra import check_vision as check_vision
from ._extra import import_extra as import_extra
from ._load import load as load
from ._split import split as split
