"""Samples as a network reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import call
from offramp.cli._samples import load_samples
from offramp.errors import DataError


def test_pictures_are_brought_to_the_size_and_channels_of_the_network() -> None:
    samples = load_samples("digits", {"x": (1, 28, 28)}, 10, split="test")
    assert samples.take([0])["x"].shape == (1, 1, 28, 28)


def test_labels_beyond_the_classes_of_the_network_are_refused() -> None:
    with pytest.raises(DataError, match="label"):
        load_samples("digits", {"x": (1, 28, 28)}, 5, split="test")


def test_torch_is_not_loaded_for_it() -> None:
    code = "import sys; import offramp.cli._samples, offramp.cli._predict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory, vision: Any) -> Path:
    """A tiny text classifier with its tokenizer, and 40 texts."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
    transformers.BertTokenizer(vocab={word: at for at, word in enumerate(words)}).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=6, num_labels=2,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    lines = [f"{'good ' * (at % 3)}{'bad ' * (at % 2)}film\t{at % 2}" for at in range(40)]
    (folder / "texts.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow  # a network of transformers is captured and written, and timed
@pytest.mark.usefixtures("hurry")
def test_texts_go_through_all_commands_and_the_tokenizer_beside_the_weights_is_found(
    bert: Path, tmp_path: Path
) -> None:
    data, out = f"tsv:{bert / 'texts.tsv'}", tmp_path / "out"
    model = ["--model", f"hf:{bert}", "--placement", "input,bert.encoder.layer.0", "--epochs", 1]
    done = call("optimize", *model, "--data", data, "--budget", 30, "--out", out, "--json")
    assert done.code == 0, done.err
    assert "Loading weights" not in done.err
    assert done.json["options"]["tokenizer"] == str(bert)
    assert len(call("predict", out, "--data", data, "--json").json) == 40
    assert call("bench", out, "--data", data, "--batch", 2, "--json").json["samples"] == 40


def test_without_its_result_a_file_for_texts_must_be_told_the_tokenizer(bert: Path, tmp_path: Path) -> None:
    from offramp.cli._predict import known_tokenizer

    assert known_tokenizer(tmp_path) is None
    (tmp_path / "result.json").write_text('{"options": {"tokenizer": null}}')
    assert known_tokenizer(tmp_path) is None
    (tmp_path / "result.json").write_text('{"options": {"tokenizer": "there"}}')
    assert known_tokenizer(tmp_path) == "there"
