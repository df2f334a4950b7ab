"""From a graph or a file to answers: what every runtime takes and gives."""

from ._as_samples import as_labels as as_labels
from ._as_samples import as_samples as as_samples
from ._content import digest_rows as digest_rows
from ._external import data_file as data_file
from ._external import fits_in_one_file as fits_in_one_file
from ._names import legible as legible
from ._reference import check_thresholds as check_thresholds
from ._reference import run_reference as run_reference
from ._runtime import Answer as Answer
from ._runtime import DenseAnswer as DenseAnswer
from ._runtime import DenseRuntime as DenseRuntime
from ._runtime import Runtime as Runtime
from ._samples import ArraySamples as ArraySamples
from ._samples import Positions as Positions
from ._samples import Samples as Samples
from ._samples import bind as bind
from ._stream import AnsweredBatch as AnsweredBatch
from ._stream import stream as stream
