"""From a reference such as `npz:FILE@test` to samples."""

from ._as_samples import Given as Given
from ._as_samples import as_samples as as_samples
from ._check import check_samples as check_samples
from ._classes import Classes as Classes
from ._classes import class_names_of as class_names_of
from ._classes import read_class_names as read_class_names
from ._classes import settle_labels as settle_labels
from ._content import fingerprint as fingerprint
from ._content import first_of_each as first_of_each
from ._extra import check_vision as check_vision
from ._extra import import_extra as import_extra
from ._load import load as load
from ._pictures import stored_sizes as stored_sizes
from ._split import split as split
