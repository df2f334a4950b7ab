"""Samples as a network reads them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from folders import card_of, read
from offramp import data
from offramp.errors import DataError
from offramp.pipeline._card import write_card
from offramp.pipeline._samples import Reads, check_tokens, drop_repeats, load_samples
from offramp.pipeline._screen import Screen
from offramp.run import ArraySamples


def test_pictures_are_brought_to_the_size_and_channels_of_the_network() -> None:
    samples = load_samples("digits", {"x": (1, 28, 28)}, 10, split="test")
    assert samples.take([0])["x"].shape == (1, 1, 28, 28)


def test_labels_beyond_the_classes_of_the_network_are_refused() -> None:
    with pytest.raises(DataError, match="label"):
        load_samples("digits", {"x": (1, 28, 28)}, 5, split="test")


def test_labels_that_cannot_be_used_are_absent_if_there_is_someone_to_tell() -> None:
    said: list[str] = []
    assert load_samples("digits", {"x": (1, 28, 28)}, 5, split="test", warn=said.append).labels is None
    assert said == [
        "the labels of digits are not used: labels must lie in 0 .. 4, but run from 0 to 9. "
        "Renumber them or take a network with more classes."
    ]


def test_repeats_are_dropped_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    samples = ArraySamples(inputs={"x": np.array([[1.0], [2.0], [1.0]])}, ids=np.array(["a", "b", "c"]))
    screen = Screen()
    left, contents = drop_repeats(samples, data.fingerprint(samples), "npz:new.npz", screen)
    assert (left.ids.tolist(), len(contents)) == (["a", "b"], 2)
    assert screen.warnings == ["1 of 3 samples of npz:new.npz repeat others, such as c: each is counted once."]


@pytest.mark.parametrize(("vocabulary", "said"), [(8, "tokens 0 to 7, but tsv:a has 8"), (9, None), (0, None)])
def test_tokens_beyond_the_vocabulary_are_refused(vocabulary: int, said: str | None) -> None:
    tokens = ArraySamples(inputs={"input_ids": np.array([[1, 8], [2, 3]])}, ids=np.array(["a", "b"]))
    if said is None:
        check_tokens(tokens, vocabulary, "tsv:a")
    else:
        with pytest.raises(DataError, match=said):
            check_tokens(tokens, vocabulary, "tsv:a")


def test_negative_tokens_are_refused_and_pictures_have_none() -> None:
    tokens = ArraySamples(inputs={"input_ids": np.array([[1, -100]])}, ids=np.array(["a"]))
    with pytest.raises(DataError, match="has -100"):
        check_tokens(tokens, 9, "tsv:a")
    check_tokens(data.load("digits"), 9, "digits")


def subset_of(folders: Path, to: Path, left_out: tuple[str, ...]) -> str:
    """The same test folders without some classes."""
    for folder in sorted((folders / "test").iterdir()):
        if folder.name not in left_out:
            shutil.copytree(folder, to / folder.name, copy_function=os.link)
    return f"imagefolder:{to}"


def test_the_run_and_its_file_know_what_the_classes_are_called(named: Any, class_folders: Path) -> None:
    names = [folder.name for folder in sorted((class_folders / "test").iterdir())]
    assert sorted(named.result["model"]["class_names"]) == names
    assert card_of(named.folder)["class_names"] == named.result["model"]["class_names"] != names
    assert named.result["baseline"]["accuracy"] > 0.8


@pytest.mark.parametrize("left_out", [("zero",), ("zero", "one", "five"), ("eight", "seven")])
def test_a_subset_of_the_folders_keeps_its_numbers(
    named: Any, class_folders: Path, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    reference, folder = subset_of(class_folders, tmp_path / "some", left_out), tmp_path / "out"
    shutil.copytree(named.folder, folder)
    done = call("recalibrate", folder, "--data", reference, "--kind", "harm", "--max-loss", 0.05, "--json")
    assert done.code == 0, done.err
    assert done.json["baseline"]["accuracy"] > 0.8
    assert done.json["model"]["class_names"] == named.result["model"]["class_names"]
    seen = call("check", folder, "--data", reference, "--json").json
    assert seen["accuracy"]["final"] > 0.8


def test_an_unknown_folder_among_known_ones_is_refused_where_labels_count(
    named: Any, class_folders: Path, tmp_path: Path
) -> None:
    reference = subset_of(class_folders, tmp_path / "some", ())
    (tmp_path / "some" / "one").rename(tmp_path / "some" / "onne")
    done = call("recalibrate", named.folder, "--data", reference, "--out", tmp_path / "out")
    assert done.code == 2
    assert "'onne' is not. Did you mean 'one'?" in done.err
    assert not (tmp_path / "out").exists()
    for command in (("check",), ("predict", "--json")):
        done = call(command[0], named.folder, "--data", reference, *command[1:])
        assert done.code == 0, done.err
        assert done.err.count("'onne' is not") == 1


def test_folders_that_are_no_classes_give_no_labels(named: Any, class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    for at, folder in enumerate(sorted((class_folders / "test").iterdir())):
        shutil.copytree(folder, tmp_path / "days" / f"2026-05-{at:02}", copy_function=os.link)
    reference = f"imagefolder:{tmp_path / 'days'}"
    for command in ("predict", "check", "bench"):
        done = call(command, named.folder, "--data", reference)
        assert done.code == 0, done.err
        assert done.err.count("are not used") == 1
    done = call("recalibrate", named.folder, "--data", reference, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert (done.json["guarantee"]["kind"], done.json["baseline"]["accuracy"]) == ("agreement", None)
    done = call("recalibrate", named.folder, "--data", reference, "--out", tmp_path / "other", "--kind", "harm")
    assert (done.code, "warning" in done.err, (tmp_path / "other").exists()) == (2, False, False)


def test_an_older_run_takes_names_only_if_there_are_as_many_as_outputs(
    named: Any, class_folders: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(named.folder, folder)
    write_card(folder / "model.onnx", {"class_names": None})
    result = read(folder)
    del result["model"]["class_names"]
    (folder / "result.json").write_text(json.dumps(result))
    some = subset_of(class_folders, tmp_path / "some", ("zero",))
    done = call("recalibrate", folder, "--data", some, "--json")
    assert done.code == 0, done.err
    assert done.json["guarantee"]["kind"] == "agreement"
    assert "nobody says which" in done.err
    assert call("check", folder, "--data", f"imagefolder:{class_folders}@test", "--json").json["accuracy"] is not None


@pytest.mark.parametrize(
    ("count", "labels"),
    [(1, [7]), (40, [7] * 40), (40, [-1] * 40), (40, list(range(1, 11)) * 4), (40, [0.5] * 40), (40, [2.0, 1.0] * 20)],
)
def test_labels_that_are_not_needed_refuse_nothing(
    finished: Any, tmp_path: Path, count: int, labels: list[float]
) -> None:
    pixels = data.load("digits@test").take(slice(0, count))["x"]
    np.savez(tmp_path / "new.npz", x=pixels, y=np.array(labels))
    reference = f"npz:{tmp_path / 'new.npz'}"
    usable = set(labels) <= set(range(10)) and (count == 1 or len(set(labels)) > 1)
    for command in ("predict", "check", "bench"):
        done = call(command, finished.folder, "--data", reference)
        assert done.code in (0, 3 if command == "check" else 0), done.err
        assert done.err.count("not used") == (not usable)
        assert "error" not in done.err
    assert len(call("predict", finished.folder, "--data", reference, "--json").json) == count
    found = call("check", finished.folder, "--data", reference, "--json").json
    assert (found["accuracy"] is not None) == usable


def test_the_names_are_part_of_what_samples_are_read_by() -> None:
    reads = Reads(shapes={"x": (1, 28, 28)}, classes=data.Classes(count=10))
    samples = reads.fit(reads.read("digits", split="test"), "digits")
    assert samples.labels is not None


def test_torch_is_not_loaded_for_it() -> None:
    code = "import sys; import offramp.pipeline._samples, offramp.pipeline._predict; sys.exit('torch' in sys.modules)"
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
    texts = [" ".join(words) for words in itertools.product(("good", "bad", "film"), repeat=4)]
    lines = [f"{text}\t{at % 2}" for at, text in enumerate(texts[::2])][:40]
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
    other = tmp_path / "other"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bad", "film", "very", "good"]
    pytest.importorskip("transformers").BertTokenizer(
        vocab={word: at for at, word in enumerate(words)}
    ).save_pretrained(other)
    refused = call("predict", out, "--data", data, "--tokenizer", other)
    assert (refused.code, "knows tokens 0 to 7" in refused.err) == (2, True)
    assert call("bench", out, "--data", data, "--batch", 2, "--json").json["samples"] == 40


def test_another_tokenizer_is_refused_before_any_work(bert: Path, tmp_path: Path, vision: Any) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bad", "film", "very", "good"]
    transformers.BertTokenizer(vocab={word: at for at, word in enumerate(words)}).save_pretrained(tmp_path / "other")
    options = ["--data", f"tsv:{bert / 'texts.tsv'}", "--tokenizer", tmp_path / "other", "--out", tmp_path / "out"]
    done = call("optimize", "--model", f"hf:{bert}", "--budget", 30, *options)
    assert (done.code, (tmp_path / "out").exists()) == (2, False)
    assert "tokens 0 to 7" in done.err
    assert "has 8. Name its own tokenizer" in done.err


def test_without_its_result_a_file_for_texts_must_be_told_the_tokenizer(bert: Path, tmp_path: Path) -> None:
    from offramp.pipeline._predict import known_tokenizer

    assert known_tokenizer(tmp_path) is None
    (tmp_path / "result.json").write_text('{"options": {"tokenizer": null}}')
    assert known_tokenizer(tmp_path) is None
    (tmp_path / "result.json").write_text('{"options": {"tokenizer": "there"}}')
    assert known_tokenizer(tmp_path) == "there"
