"""Which class a label means."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from evidences import make_costs, make_evidence
from offramp import decide
from offramp.data import Classes, class_names_of, read_class_names, settle_labels
from offramp.data._classes import number_names
from offramp.errors import DataError, OptionError
from offramp.measure import Evidence, frontier
from offramp.run import ArraySamples

PETS = ("cat", "dog", "Eule", "Bär")


def make(labels: list[int] | None, names: tuple[str, ...] | None = None) -> ArraySamples:
    count = 3 if labels is None else len(labels)
    return ArraySamples(
        inputs={"x": np.zeros((count, 2), np.float32)},
        ids=np.array([f"s/{at}" for at in range(count)]),
        labels=None if labels is None else np.array(labels, np.int64),
        class_names=names,
    )


@pytest.mark.parametrize(
    ("found", "numbers"),
    [
        (("dog",), [1]),
        (("Bär", "cat"), [3, 0]),
        ((" dog ", "CAT"), [1, 0]),
        ((unicodedata.normalize("NFD", "Bär"),), [3]),  # as a Mac writes the name of a folder
        (("eule", "dog"), [2, 1]),
    ],
)
def test_names_keep_the_numbers_of_the_network_whoever_else_is_there(
    found: tuple[str, ...], numbers: list[int]
) -> None:
    assert number_names(found, Classes(count=4, names=PETS)).tolist() == numbers


def test_case_matters_where_two_classes_differ_by_it() -> None:
    assert number_names(["a", "A"], Classes(count=2, names=("A", "a"))).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("cat", "dgo"), r"'dgo' is not\. Did you mean 'dog'\?"),
        (("cow", "hen", "cat"), r"'cow', 'hen' are not"),
    ],
)
def test_unknown_names_are_refused_with_the_closest(found: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        number_names(found, Classes(count=4, names=PETS))


@pytest.mark.parametrize(
    ("found", "count", "numbers"),
    [
        (("cat", "dog"), 2, [0, 1]),
        (("0", "3", "7"), 10, [0, 3, 7]),  # a subset of ten folders
        (("00", "03", "11"), 12, [0, 3, 11]),  # as text or as numbers, the order is the same
        (tuple("0123456789"), 10, list(range(10))),
    ],
)
def test_without_names_as_many_as_outputs_or_plain_numbers_will_do(
    found: tuple[str, ...], count: int, numbers: list[int]
) -> None:
    assert number_names(found, Classes(count=count)).tolist() == numbers


@pytest.mark.parametrize(
    ("found", "count", "said"),
    [
        (("cat", "dog"), 3, r"3 classes apart, but 2 are here \('cat', 'dog'\)"),
        (("a", "b", "c", "d"), 3, "and 1 more"),
        (tuple(map(str, range(11))), 11, "in two ways"),  # torchvision puts 10 before 2, a reader behind 9
        (("0", "3"), 12, "in two ways"),
        (tuple(map(str, range(1, 11))), 10, "in two ways"),
        (("1", "01"), 3, "in two ways"),
    ],
)
def test_names_that_nobody_explains_are_refused(found: tuple[str, ...], count: int, said: str) -> None:
    with pytest.raises(DataError, match=said):
        number_names(found, Classes(count=count))


def test_a_subset_keeps_its_numbers_and_gets_the_names_of_the_network() -> None:
    settled = settle_labels(make([0, 1, 1], ("cat", "Eule")), Classes(count=4, names=PETS), "new")
    assert settled.labels is not None
    assert settled.labels.tolist() == [0, 2, 2]
    assert class_names_of(settled) == PETS


def test_the_names_of_a_full_set_become_those_of_the_network() -> None:
    assert class_names_of(settle_labels(make([0, 1], ("cat", "dog")), Classes(count=2), "new")) == ("cat", "dog")
    assert class_names_of(settle_labels(make([0, 1], ("1", "7")), Classes(count=9), "new")) is None


@pytest.mark.parametrize("labels", [[0, 3, 1], [-1, 0, 1], [1, 1, 1]])
def test_numbers_that_are_no_classes_are_left_out_with_a_warning_or_refused(labels: list[int]) -> None:
    said: list[str] = []
    settled = settle_labels(make(labels), Classes(count=3), "npz:new.npz", warn=said.append)
    assert settled.labels is None
    assert len(said) == 1
    assert said[0].startswith("the labels of npz:new.npz are not used: labels must")
    with pytest.raises(DataError, match=r"npz:new\.npz: labels must"):
        settle_labels(make(labels), Classes(count=3), "npz:new.npz")


def test_one_class_by_its_name_and_one_sample_by_its_number_are_labels() -> None:
    for samples in (make([0, 0], ("dog",)), make([1])):
        settled = settle_labels(samples, Classes(count=4, names=PETS), "new")
        assert settled.labels is not None
        assert set(settled.labels.tolist()) == {1}


def test_without_labels_nothing_is_asked() -> None:
    assert settle_labels(make(None), Classes(count=2), "new").labels is None


def test_some_unknown_names_are_a_mistake_and_all_unknown_names_are_no_classes() -> None:
    said: list[str] = []
    known = Classes(count=4, names=PETS)
    dates = settle_labels(make([0, 1], ("2026-05-01", "2026-05-02")), known, "new", warn=said.append)
    assert dates.labels is None
    with pytest.raises(DataError, match="'cow' is not"):
        settle_labels(make([0, 1], ("cat", "cow")), known, "new", warn=said.append)
    assert settle_labels(make([0, 1], ("cat", "cow")), known, "new", warn=said.append, strict=False).labels is None
    assert len(said) == 2


def test_names_are_read_between_commas_or_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("tench, Tinca tinca\r\nBär\r\n".encode("utf-8-sig"))
    assert read_class_names(str(file)) == ("tench, Tinca tinca", "Bär")
    assert read_class_names(" cat,dog ") == ("cat", "dog")


@pytest.mark.parametrize(("text", "said"), [("cat,,dog", "number 1"), ("cat,dog,cat", "'cat' come twice")])
def test_names_that_name_nothing_are_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_class_names(text)


def test_a_file_of_names_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(OptionError, match="UTF-8"):
        read_class_names(str(tmp_path / "names.txt"))


def test_there_is_one_name_per_output() -> None:
    with pytest.raises(OptionError, match="must be 3, one per output"):
        Classes(count=3, names=("cat", "dog"))


TEN = tuple(f"digit{at}" for at in range(10))
DRAWS, LOSS, CONFIDENCE = 200, 0.03, 0.95


def labels_of_folders(seen: Evidence, *, by_name: bool) -> NDArray[np.int64]:
    """The labels of these samples if they lie in class folders: by the names of the run, or numbered per file."""
    assert seen.labels is not None
    present, numbers = np.unique(seen.labels, return_inverse=True)
    samples = make(numbers.tolist(), tuple(TEN[at] for at in present.tolist()))
    settled = settle_labels(samples, Classes(count=10, names=TEN), "new") if by_name else samples
    assert settled.labels is not None
    return settled.labels


def share_of_broken_promises(seen: Evidence, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Of 200 calibration sets, those whose point harms more of all others than was promised; and those with a promise.

    Thresholds are chosen and proven by `labels`; what they harm is judged by the truth.
    """
    random, costs = np.random.default_rng(0), make_costs(2)
    order = random.permutation(len(seen))
    cut = round(0.3 * len(seen))
    told = replace(seen, labels=labels)
    drawn = frontier(told.subset(order[:cut]), costs, score="max_probability", quality=decide.quality_for("harm"))
    rest, broken, made = order[cut:], 0, 0
    for _ in range(DRAWS):
        some = random.permutation(rest)[: len(rest) // 2]
        chosen = decide.thresholds(drawn, told.subset(some), max_loss=LOSS, confidence=CONFIDENCE, kind="harm")
        assert chosen.guarantee is not None
        lost = decide.find_losses(seen.subset(rest), chosen.thresholds, "max_probability", "harm").mean()
        made += chosen.guarantee.status == "certified"
        broken += chosen.guarantee.status == "certified" and lost > LOSS
    return broken / DRAWS, made / DRAWS


@pytest.mark.parametrize("left_out", [(), (0,), (0, 1, 2, 3, 4), (2, 7), (1, 3, 4, 5, 6, 8, 9)])
def test_the_promise_holds_on_every_subset_of_the_classes(left_out: tuple[int, ...]) -> None:
    everything = make_evidence(4000, 2, seed=3)
    seen = everything.subset(~np.isin(everything.labels, left_out))  # type: ignore[arg-type]  # it is there
    broken, made = share_of_broken_promises(seen, labels_of_folders(seen, by_name=True))
    assert broken <= binom.ppf(0.99, DRAWS, 1 - CONFIDENCE) / DRAWS
    assert made == 1  # and it is worth something: there is one


@pytest.mark.parametrize("left_out", [(0,), (0, 1, 2, 3, 4)])
def test_numbers_given_per_file_would_promise_what_does_not_hold(left_out: tuple[int, ...]) -> None:
    everything = make_evidence(4000, 2, seed=3)
    seen = everything.subset(~np.isin(everything.labels, left_out))  # type: ignore[arg-type]  # it is there
    assert share_of_broken_promises(seen, labels_of_folders(seen, by_name=False)) == (1, 1)
