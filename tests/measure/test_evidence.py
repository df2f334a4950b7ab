from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidences import make_evidence
from offramp.errors import EvidenceError, OptionError, OutputError
from offramp.measure import Evidence, check_disjoint


@pytest.mark.parametrize("labels", [True, False])
def test_saved_evidence_comes_back(tmp_path: Path, labels: bool) -> None:
    seen = make_evidence(20, 2, labels=labels)
    seen.save(tmp_path / "evidence.npz")
    back = Evidence.load(tmp_path / "evidence.npz")
    assert back.gates == seen.gates
    assert np.array_equal(back.predictions, seen.predictions)
    assert np.array_equal(back.scores["entropy"], seen.scores["entropy"])
    assert (back.labels is None) == (not labels)
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.npz"]


def test_what_samples_hold_goes_with_them(tmp_path: Path) -> None:
    seen = replace(make_evidence(5, 1), contents=np.arange(5, dtype=np.uint64) + np.uint64(2**63))
    seen.subset(np.array([4, 1])).save(tmp_path / "e.npz")
    back = Evidence.load(tmp_path / "e.npz").contents
    assert back is not None
    assert (back.dtype, back.tolist()) == (np.uint64, [2**63 + 4, 2**63 + 1])  # type: ignore[comparison-overlap]  # as it is at run time
    with pytest.raises(EvidenceError, match="contents"):
        replace(seen, contents=np.zeros(4, np.uint64))


def test_names_may_be_ids(tmp_path: Path) -> None:
    seen = replace(make_evidence(3, 1), ids=np.array(["a", "b", "c"]))
    seen.save(tmp_path / "e.npz")
    assert Evidence.load(tmp_path / "e.npz").ids.tolist() == ["a", "b", "c"]


def test_an_unwritable_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="writable"):
        make_evidence(3, 1).save(tmp_path / "missing" / "e.npz")


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
def test_a_missing_or_broken_file_is_an_evidence_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "e.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EvidenceError, match="written by offramp"):
        Evidence.load(path)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", ids=np.array([{}], object))
    with pytest.raises(EvidenceError, match="written by offramp"):
        Evidence.load(tmp_path / "e.npz")


def test_a_file_with_wrong_shapes_says_which(tmp_path: Path) -> None:
    make_evidence(5, 1).save(tmp_path / "e.npz")
    arrays = dict(np.load(tmp_path / "e.npz"))
    np.savez(tmp_path / "f.npz", **{**arrays, "labels": np.arange(3)})
    with pytest.raises(EvidenceError, match=r"labels \[3\] instead of \[5\]"):
        Evidence.load(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([0, 1, 1, 2])}, "unique"),
        ({"ids": np.zeros(4)}, "whole numbers"),
        ({"reference": np.arange(3)}, "reference"),
        ({"predictions": np.arange(4)}, "predictions"),
        ({"predictions": np.zeros((4, 3), int)}, "scores"),
        ({"gates": {}}, "gate"),
        ({"labels": np.full(4, np.nan)}, "labels"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        replace(make_evidence(4, 1), **change)


def test_a_subset_keeps_what_belongs_together() -> None:
    seen = make_evidence(6, 2)
    part = seen.subset(np.array([4, 1]))
    assert part.ids.tolist() == [4, 1]
    assert len(part) == 2
    assert part.exits == 3
    assert np.array_equal(part.scores["entropy"], seen.scores["entropy"][[4, 1]])


def test_an_empty_subset_is_refused() -> None:
    with pytest.raises(EvidenceError, match="0 samples"):
        make_evidence(4, 1).subset(slice(0, 0))


def test_sets_that_share_a_sample_are_refused() -> None:
    seen = make_evidence(9, 1)
    first, second, third = seen.subset(slice(0, 3)), seen.subset(slice(3, 6)), seen.subset(slice(5, 9))
    check_disjoint(first, second)
    with pytest.raises(EvidenceError, match=r"sets 1 and 2 .* 1 ids"):
        check_disjoint(first, second, third)


def test_evidence_of_fewer_exits_is_a_choice_of_columns() -> None:
    seen = make_evidence(20, 3)
    fewer = seen.keep([0, 2])
    assert np.array_equal(fewer.predictions, seen.predictions[:, [0, 2, 3]])
    assert np.array_equal(fewer.scores["entropy"], seen.scores["entropy"][:, [0, 2]])
    assert seen.keep([]).scores["entropy"].shape == (20, 0)


@pytest.mark.parametrize("exits", [[3], [-1], [1, 0], [0, 0]])
def test_exits_that_are_not_there_or_not_in_order_cannot_be_kept(exits: list[int]) -> None:
    with pytest.raises(OptionError, match="0 to 2"):
        make_evidence(5, 3).keep(exits)
