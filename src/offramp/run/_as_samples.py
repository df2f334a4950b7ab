"""From whatever holds samples in Python to `Samples`: arrays, tensors, torch data sets and loaders.

PyTorch is not loaded for it: what is of PyTorch's can only be given where it is loaded.

Shape letters: B batch, C channels, H W space, S samples.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError

from ._content import digest_rows
from ._samples import Array, ArraySamples, Samples

LABELS = ("labels", "label")  # keys of a dictionary that are no inputs
BATCH = 256  # samples that are read in one go, where the user's loader does not say
FORMS = "an array, a tensor, (inputs, labels), a dict of them, a torch Dataset or DataLoader, or Samples"


def as_samples(given: Any, name: str = "samples") -> Samples:  # Any: one of many things, and no type of PyTorch's here
    """Samples that can be read again and again, in any order, from whatever holds them.

    Arrays and tensors are read where they lie; what a Dataset or a DataLoader gives is read once, into memory, in the
    order of the data set, whether the loader shuffles or not. What is drawn at random there, such as a random crop, is
    drawn once. Each sample is called by what it holds, so that the same samples have the same names in every run.

    Args:
        given: One of:

            * an array or a tensor: one row per sample. Pictures are floats [S, C, H, W] in [0, 1] or uint8, which
              arrays hold as [S, H, W, C] and tensors as [S, C, H, W]; [S, D] are features;
            * a pair (inputs, labels), inputs being any of these;
            * a dictionary of arrays or tensors by input name; labels under "labels" or "label";
            * a torch Dataset with a length, of inputs, (inputs, label) or dictionaries, or a DataLoader of one;
            * `Samples`, which are given back.
        name: What to call them in an error.

    Returns:
        The samples; with labels if some were given.

    Raises:
        DataError: It is something else, cannot be read, or its parts do not fit each other.

    Example:
        >>> samples = as_samples((np.zeros((3, 1, 8, 8)), [0, 1, 1]))
        >>> len(samples), samples.take([0])["x"].dtype, samples.labels.tolist()
        (3, dtype('float32'), [0, 1, 1])
    """
    if isinstance(given, Samples):
        return given
    if isinstance(given, np.ndarray | Mapping | tuple | list) or _is_of(given, "torch", "Tensor"):
        return _from_arrays(given, name)
    if _is_of(given, "torch.utils.data", "TensorDataset"):
        return _from_arrays(tuple(given.tensors), name)
    if _is_of(given, "torch.utils.data", "DataLoader"):
        return _from_batches(_read_loader(given, name), name)
    if not isinstance(given, str) and hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        return _from_batches(_read_dataset(given, name), name)
    raise DataError(f"{name} must be {FORMS}, but is {type(given).__name__}. Convert it.")


def is_collection(given: Any) -> bool:  # Any: as for `as_samples`
    """Whether this is something that `as_samples` takes, and no stream of pieces that come one after the other.

    Example:
        >>> is_collection(np.zeros((2, 3))), is_collection(iter([{"x": np.zeros((2, 3))}]))
        (True, False)
    """
    known = [("torch", "Tensor"), ("torch.utils.data", "Dataset"), ("torch.utils.data", "DataLoader")]
    return isinstance(given, Samples | np.ndarray | Mapping | tuple) or any(_is_of(given, *one) for one in known)


def _is_of(value: Any, module: str, name: str) -> bool:  # Any: whatever the user gives
    """Whether it is an instance of a class of a module; of one that nobody loaded nothing is."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _from_arrays(given: Any, name: str) -> ArraySamples:  # Any: arrays, tensors, or a pair or a dictionary of them
    inputs, labels = _take_apart(given, name)
    columns = {key: _as_input(value, f"{key} of {name}") for key, value in inputs.items()}
    counts = {key: len(column) for key, column in columns.items()}
    found = None if labels is None else as_labels(_to_numpy(labels, f"labels of {name}"), f"labels of {name}")
    counts |= {} if found is None else {"labels": len(found)}
    if len(set(counts.values())) != 1:
        raise DataError(f"{name} must have as many rows everywhere, but have {counts}. Give one row per sample.")
    samples = ArraySamples(
        inputs=columns, ids=np.arange(next(iter(counts.values()))).astype(np.str_), labels=found
    )  # fmt: skip
    return replace(samples, ids=_name_by_content(samples))


def _take_apart(given: Any, name: str) -> tuple[dict[str, Any], Any]:  # Any: as above
    """Inputs by name, and labels or None."""
    if isinstance(given, Mapping):
        inputs = {str(key): value for key, value in given.items() if key not in LABELS}
        labels = [given[key] for key in LABELS if key in given]
        if not inputs:
            raise DataError(f"{name} must have inputs, but has {sorted(map(str, given))} alone. Add them.")
        return inputs, labels[0] if labels else None
    if isinstance(given, tuple | list):
        if not 1 <= len(given) <= 2 or not (isinstance(given[0], Mapping) or hasattr(given[0], "shape")):
            raise DataError(
                f"{name} must be inputs, or inputs and labels, but are {len(given)} of {type(given).__name__}. Give "
                "(inputs, labels), or a dict of inputs by name."
            )
        inputs, labels_inside = _take_apart(given[0], name)
        return inputs, given[1] if len(given) == 2 else labels_inside
    return {"x": given}, None


def _as_input(value: Any, name: str) -> Array:  # Any: an array or a tensor
    """As networks read it: pictures in 8 bits with channels last, other numbers as float32 or int64."""
    array = _to_numpy(value, name)
    if array.dtype == np.uint8 and array.ndim in (3, 4):
        if array.ndim == 3:
            return array[..., None]
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if _is_of(value, "torch", "Tensor") else array
    if array.dtype.kind == "f" and array.ndim >= 2:
        return array.astype(np.float32, copy=False)
    if array.dtype.kind in "iub" and array.ndim >= 2 and array.dtype != np.uint8:
        return array.astype(np.int64, copy=False)
    raise DataError(
        f"{name} must be pictures [n, C, H, W] or features [n, D], floats or whole numbers, but is {array.dtype} "
        f"{list(array.shape)}. Convert it."
    )


def _to_numpy(value: Any, name: str) -> Array:  # Any: an array, a tensor or a list
    if _is_of(value, "torch", "Tensor"):
        tensor = value.detach().cpu()
        found: Array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        return found
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{name} must be an array of numbers, but: {error}. Give rows of one shape.") from error


def _name_by_content(samples: Samples) -> NDArray[np.str_]:
    """[S] what each sample is called: what it holds, and a number behind that if it is a repeat."""
    parts = [samples.take(slice(start, start + BATCH)) for start in range(0, len(samples), BATCH)]
    contents = np.concatenate([np.empty(0, np.uint64), *map(digest_rows, parts)])
    seen: Counter[int] = Counter()
    names = []
    for content in contents.tolist():
        seen[content] += 1
        names.append(f"{content:016x}" if seen[content] == 1 else f"{content:016x}/{seen[content]}")
    return np.array(names, dtype=np.str_)


def _read_loader(loader: Any, name: str) -> Iterator[Any]:  # Any: a DataLoader, and its batches
    """Its batches, in the order of its data set if it gives all of that, whether it shuffles or not."""
    data = _torch_data()
    whole = type(loader.batch_sampler) is data.BatchSampler and (
        isinstance(loader.sampler, data.SequentialSampler)
        or (isinstance(loader.sampler, data.RandomSampler) and not loader.sampler.replacement)
    )
    if isinstance(loader.dataset, data.IterableDataset) or not whole:
        return _try(loader, name)
    again = data.DataLoader(
        loader.dataset, loader.batch_size, collate_fn=loader.collate_fn, num_workers=loader.num_workers
    )
    return _try(again, name)


def _read_dataset(dataset: Any, name: str) -> Iterator[Any]:  # Any: a Dataset, and its batches
    return _try(_torch_data().DataLoader(dataset, BATCH), name)


def _torch_data() -> ModuleType:
    """Where PyTorch keeps data sets and loaders.

    Raises:
        DataError: Nobody loaded it, so that this is none of PyTorch's.
    """
    found = sys.modules.get("torch.utils.data")
    if found is None:
        raise DataError(f"samples must be {FORMS}, but are none of them. Convert them.")
    return found


def _try(loader: Iterable[Any], name: str) -> Iterator[Any]:  # Any: batches
    try:
        yield from loader
    except Exception as error:  # a user's data set may raise anything
        raise DataError(
            f"{name} must give tensors or arrays of one shape, but reading them raised {type(error).__name__}: "
            f"{str(error)[:160]}. Mend the data set."
        ) from error


def _from_batches(batches: Iterator[Any], name: str) -> ArraySamples:  # Any: as a loader gives them
    """All batches as one."""
    apart = [_take_apart(batch, name) for batch in batches]
    if not apart:
        raise DataError(f"{name} must hold at least one sample, but holds none. Check where they come from.")
    inputs = {key: _join([inputs[key] for inputs, _ in apart]) for key in apart[0][0]}
    labels = [labels for _, labels in apart if labels is not None]
    return _from_arrays((inputs, _join(labels)) if labels else inputs, name)


def _join(parts: list[Any]) -> Any:  # Any: tensors or arrays
    if _is_of(parts[0], "torch", "Tensor"):
        return sys.modules["torch"].cat(parts)
    return np.concatenate([np.asarray(part) for part in parts])


def as_labels(y: Array, name: str) -> NDArray[np.int64]:
    """Whole numbers [n], in whatever type they come.

    Raises:
        DataError: They are something else.
    """
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    whole = flat.dtype.kind in "iu" or (flat.dtype.kind == "f" and bool((np.floor(flat) == flat).all()))
    if flat.ndim != 1 or not whole or (len(flat) and float(np.abs(flat).max()) >= 2**62):
        raise DataError(f"{name} must be integers [n], but is {y.dtype} {list(y.shape)}. Give class numbers.")
    return flat.astype(np.int64)
