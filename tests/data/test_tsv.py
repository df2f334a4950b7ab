"""Texts in tab-separated files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from offramp.data import load
from offramp.errors import DataError, OptionError, UnknownReference

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]

pytestmark = pytest.mark.usefixtures("vision")  # transformers imports it if it is installed


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, vision: object) -> str:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tokenizer")
    transformers.BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(folder)
    return str(folder)


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"tsv:{path}"


def test_texts_become_padded_tokens_and_a_mask(tmp_path: Path, tokenizer: str) -> None:
    samples = load(write(tmp_path / "a.tsv", "good film\t1", "bad\t0"), tokenizer=tokenizer, max_length=5)
    taken = samples.take(slice(None))
    np.testing.assert_array_equal(taken["input_ids"], [[2, 5, 7, 3, 0], [2, 6, 3, 0, 0]])
    np.testing.assert_array_equal(taken["attention_mask"], [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    assert {array.dtype for array in taken.values()} == {np.dtype(np.int64)}
    assert samples.ids.tolist() == [f"{tmp_path.name}/a/0", f"{tmp_path.name}/a/1"]


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        (["sentence\tlabel", "good\t1", "bad\t0"], [1, 0]),
        (["label\ttext", "1\tgood", "0\tbad"], [1, 0]),
        (["id\ttext\tlabel", "7\tgood\t1", "8\tbad\t0"], [1, 0]),
        (["good\tyes", "bad\tno"], [1, 0]),
        (["good\t1\r", "bad\t0\r"], [1, 0]),
        (["\ufeffsentence\tlabel", "good\t1", "bad\t0"], [1, 0]),
        (["\ufeffgood\t1", "bad\t0"], [1, 0]),
        (["review\tsentiment", "good\tpositive", "bad\tnegative"], [1, 0]),
        (["sentiment\treview", "1\tgood", "0\tbad"], [1, 0]),
        (["id\treview\tclass", "7\tgood\t1", "8\tbad\t0"], [1, 0]),
        (["was\tist", "good\t1", "bad\t0"], [1, 0]),  # numbers below a word
        (["text\tverdict", "good\tyes", "bad\tno"], [1, 0]),
        (["text\tid", "good\t1", "bad\t0"], None),
        (["review", "good", "bad"], None),
        (["good\t1.0", "bad\t0.0"], [1, 0]),
        (["good\t11.0", "bad\t2.0"], [11, 2]),
        (["good\t yes", "bad\tno "], [1, 0]),
        (["good", "bad"], None),
        (["text", "good", "bad"], None),
    ],
)
def test_headers_names_and_missing_labels_are_understood(
    tmp_path: Path, tokenizer: str, lines: list[str], labels: list[int] | None
) -> None:
    samples = load(write(tmp_path / "a.tsv", *lines), tokenizer=tokenizer, max_length=3)
    np.testing.assert_array_equal(samples.take(slice(None))["input_ids"][:, 1], [5, 6])
    assert (None if samples.labels is None else samples.labels.tolist()) == labels


def test_a_first_row_that_is_no_heading_stays_a_text(tmp_path: Path, tokenizer: str) -> None:
    for lines in (["review\t1"], ["review\tno", "good\tyes"], ["review\tclass", "good\tclass", "bad\ttopic"]):
        assert len(load(write(tmp_path / "a.tsv", *lines), tokenizer=tokenizer)) == len(lines)


def test_names_of_the_network_number_the_labels_and_tell_a_heading(tmp_path: Path, tokenizer: str) -> None:
    names = ("negative", "neutral", "positive")
    rows = ["good\tpositive", "bad\tNegative"] * 2
    for lines in (rows, ["meinung\turteil", *rows]):
        samples = load(write(tmp_path / "a.tsv", *lines), tokenizer=tokenizer, class_names=names)
        np.testing.assert_array_equal(samples.labels, [2, 0, 2, 0])


@pytest.mark.parametrize("cells", [("5", "1"), ("5.0", "1.0")])
def test_classes_may_be_called_by_numbers_that_are_not_theirs(
    tmp_path: Path, tokenizer: str, cells: tuple[str, str]
) -> None:
    reference = write(tmp_path / "a.tsv", *(f"good\t{cell}" for cell in cells))
    stars = load(reference, tokenizer=tokenizer, class_names=("1", "2", "3", "4", "5"))
    np.testing.assert_array_equal(stars.labels, [4, 0])
    np.testing.assert_array_equal(load(reference, tokenizer=tokenizer, class_names="abcdef").labels, [5, 1])


@pytest.mark.parametrize("lines", [["good\t1", "bad\t"], ["good\t1", "bad\t0.5"], ["good\t1", "bad\tnan"]])
def test_labels_that_cannot_be_used_are_absent_or_refused(tmp_path: Path, tokenizer: str, lines: list[str]) -> None:
    reference, said = write(tmp_path / "a.tsv", *lines), list[str]()
    samples = load(reference, tokenizer=tokenizer, warn=said.append)
    assert (len(samples), samples.labels, len(said)) == (2, None, 1)
    with pytest.raises(DataError, match=r"text 1 is empty|must be integers"):
        load(reference, tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("suffix", "split", "count"), [("", None, 2), ("@train", "test", 2), ("", "test", 1), ("@val", None, 1)]
)
def test_a_folder_has_parts(tmp_path: Path, tokenizer: str, suffix: str, split: str | None, count: int) -> None:
    write(tmp_path / "train.tsv", "good\t1", "bad\t0")
    write(tmp_path / "dev.tsv", "good\t1")
    assert len(load(f"tsv:{tmp_path}{suffix}", split=split, tokenizer=tokenizer)) == count


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["good\t1", "bad"], "others in row 2"),
        (["text\tlabel"], "below its header"),
        (["\ufefftext"], "below its header"),
        (["kommentar\turteil", *["good\tgut", "bad\tschlecht"] * 2], "begins with 'urteil'"),
        (["a\tb\tc"], "3 columns"),
        ([""], "0 rows"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, tokenizer: str, lines: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(write(tmp_path / "a.tsv", *lines), tokenizer=tokenizer)


def test_other_encodings_are_refused(tmp_path: Path, tokenizer: str) -> None:
    (tmp_path / "a.tsv").write_bytes("café\t1".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        load(f"tsv:{tmp_path / 'a.tsv'}", tokenizer=tokenizer)


def test_a_single_file_has_no_parts(tmp_path: Path, tokenizer: str) -> None:
    with pytest.raises(UnknownReference, match="no part 'test'"):
        load(write(tmp_path / "a.tsv", "good\t1") + "@test", tokenizer=tokenizer)


@pytest.mark.parametrize("place", ["none.tsv", "."])
def test_a_missing_file_is_named(tmp_path: Path, tokenizer: str, place: str) -> None:
    with pytest.raises(DataError, match=r"is none|train\.tsv"):
        load(f"tsv:{tmp_path / place}", tokenizer=tokenizer)


def test_texts_need_a_tokenizer(tmp_path: Path) -> None:
    reference = write(tmp_path / "a.tsv", "good\t1")
    with pytest.raises(OptionError, match="tokenizer"):
        load(reference)
    with pytest.raises(UnknownReference, match="local folder"):
        load(reference, tokenizer="bert-base-uncased")
    with pytest.raises(DataError, match="must hold a tokenizer"):
        load(reference, tokenizer=str(tmp_path))
