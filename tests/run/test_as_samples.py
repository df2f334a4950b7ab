from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, SubsetRandomSampler, TensorDataset

from offramp.errors import DataError
from offramp.run import ArraySamples, Samples, as_samples
from offramp.run._as_samples import is_collection

ROWS = 7
X = np.random.default_rng(0).random((ROWS, 1, 4, 4), np.float32)
Y = np.arange(ROWS) % 3


class Pairs(Dataset[Any]):
    """A data set of the user's own, of NumPy arrays and plain numbers."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, at: int) -> tuple[Any, int]:
        return X[at], int(Y[at])


class Named(Pairs):
    """One of dictionaries, as those for texts are."""

    def __getitem__(self, at: int) -> Any:
        return {"x": X[at], "labels": int(Y[at])}


class Broken(Pairs):
    def __getitem__(self, at: int) -> Any:
        raise KeyError("no such file")


def tensors() -> TensorDataset:
    return TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


KINDS: dict[str, Any] = {
    "arrays": (X, Y),
    "float64": (X.astype(np.float64), Y.tolist()),
    "tensors": (torch.from_numpy(X), torch.from_numpy(Y)),
    "dictionary": {"x": X, "labels": Y},
    "inputs by name": ({"x": X}, Y),
    "tensor data set": tensors(),
    "data set": Pairs(),
    "data set of dictionaries": Named(),
    "joined data sets": ConcatDataset([Pairs()]),
    "loader": DataLoader(tensors(), batch_size=3),
    "shuffling loader": DataLoader(Pairs(), batch_size=3, shuffle=True, drop_last=True),
    "loader of dictionaries": DataLoader(Named(), batch_size=2, shuffle=True),
    "samples": ArraySamples(inputs={"x": X}, ids=np.arange(ROWS).astype(np.str_), labels=Y),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_holds_samples_gives_the_same_ones(kind: str) -> None:
    samples = as_samples(KINDS[kind])
    assert isinstance(samples, Samples)
    assert samples.labels is not None
    assert samples.labels.tolist() == Y.tolist()
    for _ in range(2):  # they are read again and again
        taken = samples.take(slice(None))
        assert list(taken) == ["x"]
        assert np.array_equal(taken["x"], X)
    if kind != "samples":
        assert samples.ids.tolist() == as_samples((X, Y)).ids.tolist()


def test_a_loader_that_gives_some_in_its_own_order_keeps_their_names() -> None:
    samples = as_samples(DataLoader(tensors(), batch_size=2, sampler=SubsetRandomSampler([5, 1, 3])))
    everything = as_samples((X, Y))
    assert {*samples.ids.tolist()} == {*everything.subset([1, 3, 5]).ids.tolist()}
    assert samples.labels is not None
    place = {name: at for at, name in enumerate(everything.ids.tolist())}
    assert [Y[place[name]] for name in samples.ids.tolist()] == samples.labels.tolist()


@pytest.mark.parametrize("given", [X, torch.from_numpy(X), {"x": X}, TensorDataset(torch.from_numpy(X)), [X]])
def test_labels_may_be_absent(given: Any) -> None:
    assert as_samples(given).labels is None


def test_pictures_in_8_bits_are_channels_last_in_arrays_and_first_in_tensors() -> None:
    pictures = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    wanted = pictures.astype(np.float32) / np.float32(255)
    for given in (pictures.transpose(0, 2, 3, 1), torch.from_numpy(pictures)):
        assert np.array_equal(as_samples(given).take(slice(None))["x"], wanted)
    assert as_samples(pictures[:, 0]).take([0])["x"].shape == (1, 1, 4, 5)  # grey, without its axis


def test_tokens_are_whole_numbers_by_name() -> None:
    tokens = {"input_ids": torch.ones(3, 5, dtype=torch.int32), "attention_mask": torch.ones(3, 5, dtype=torch.bool)}
    taken = as_samples(tokens).take(slice(None))
    assert {name: array.dtype for name, array in taken.items()} == dict.fromkeys(tokens, np.dtype(np.int64))


def test_half_floats_are_widened() -> None:
    assert as_samples(torch.ones(2, 3, dtype=torch.bfloat16)).take([0])["x"].dtype == np.float32


def test_repeats_have_names_of_their_own() -> None:
    assert [name.partition("/")[2] for name in as_samples(np.ones((3, 2))).ids.tolist()] == ["", "2", "3"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (7, "train must be an array, a tensor.* but is int"),
        ("digits", "but is str"),
        ((X, Y[:3]), r"as many rows everywhere, but have {'x': 7, 'labels': 3}"),
        ((X, Y, Y), "but are 3 of tuple"),
        ([[1.0], [2.0]], "but are 2 of list"),
        ({"labels": Y}, r"must have inputs, but has \['labels'\] alone"),
        ((X, X), r"labels of train must be integers"),
        ((X, Y + 0.5), r"labels of train must be integers"),
        (X[:, 0, 0, 0], r"x of train must be pictures .* but is float32 \[7\]"),
        (np.array([["a"]]), r"x of train must be pictures"),
        ({"x": [[1.0], [2.0, 3.0]]}, "x of train must be an array of numbers"),
        (Broken(), "reading them raised KeyError: 'no such file'. Mend the data set"),
        (DataLoader(tensors(), sampler=SubsetRandomSampler([])), "at least one sample, but holds none"),
    ],
)
def test_what_holds_no_samples_is_refused_in_a_sentence(given: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        as_samples(given, "train")


@pytest.mark.parametrize(
    ("given", "expected"),
    [(X, True), ({"x": X}, True), ((X, Y), True), (tensors(), True), ([{"x": X}], False), (iter([{"x": X}]), False)],
)
def test_a_stream_of_pieces_is_no_collection(given: Any, expected: bool) -> None:
    assert is_collection(given) == expected
