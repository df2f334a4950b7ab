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


@pytest.mark.parametrize(
    ("suffix", "split", "count"), [("", None, 2), ("@train", "test", 2), ("", "test", 1), ("@val", None, 1)]
)
def test_a_folder_has_parts(tmp_path: Path, tokenizer: str, suffix: str, split: str | None, count: int) -> None:
    write(tmp_path / "train.tsv", "good\t1", "bad\t0")
    write(tmp_path / "dev.tsv", "good\t1")
    assert len(load(f"tsv:{tmp_path}{suffix}", split=split, tokenizer=tokenizer)) == count


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["good\t1", "bad"], "others in row 2"), (["a\tb\tc"], "3 columns"), ([""], "0 rows")],
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
