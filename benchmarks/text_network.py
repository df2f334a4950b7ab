"""A small BERT classifier of SST-2, trained from scratch: the network that text.py gives exits to.

Run: python benchmarks/text_network.py --data FOLDER --out FOLDER [--layers 8] [--width 128] [--epochs 2]
FOLDER holds train.tsv and dev.tsv in the form of GLUE. Written are `network/` (as save_pretrained writes it, with the
tokenizer), `unlabelled.tsv` (training texts of five words and more, for exits to learn from) and `held_out.tsv`; a
killed training goes on with the same command. It stops after the first epoch that does not lower the validation loss.

SST-2's training set consists of sentences and of pieces of the same sentences, so a random share of its rows is no
held-out set. A text that is no piece of another one stands for a sentence here. 2,200 sentences are held out and 400
choose the epoch. A row is trained on only if it is a piece of a remaining sentence, and no remaining sentence has eight
words in a row in common with one that was set aside. Pieces that occur in both ("of the year") stay, as they do between
SST-2's own train and dev. Held out are those sentences and the 872 of dev.tsv.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _operators  # noqa: F401  # before torchvision, which transformers imports
import numpy as np
import torch
from _cpu import AMX
from tokenizers import BertWordPieceTokenizer
from transformers import (  # type: ignore[attr-defined]  # the tokenizer is made lazily, which mypy does not see
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
)

HELD_OUT, VALIDATION = 2_200, 400  # sentences
SHORTEST = 5  # words of a sentence that may be set aside: a shorter one is too easily a piece of something
SHARED = 8  # words in a row that two different sentences do not have in common
VOCABULARY, TOKENS = 8_000, 64
BATCH, RATE, WARM_UP = 64, 5e-4, 0.1
WORDS_HIDDEN = 0.1  # share of tokens that are masked in training

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

Row = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Texts and labels: to train on, to choose the epoch by, never seen in training."""

    train: list[Row]
    validation: list[Row]
    held_out: list[Row]


def read_rows(path: Path) -> list[Row]:
    """Text and label of each row behind the header."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    cells = (line.split("\t") for line in lines)
    return [(" ".join(text.split()), int(label)) for text, label in cells]


def divide(rows: Sequence[Row], seed: int) -> Parts:
    """Whole sentences set aside with all their pieces."""
    labels = dict(rows)
    sentences = _sentences(labels)
    long = [text for text in sentences if len(text.split()) >= SHORTEST]
    order = np.random.default_rng(seed).permutation(len(long))[: HELD_OUT + VALIDATION]
    aside = [long[at] for at in order]
    known = {run for text in aside for run in _runs(text, SHARED)}
    kept = [text for text in sentences if text not in set(aside) and known.isdisjoint(_runs(text, SHARED))]
    pieces = {piece for text in kept for piece in _pieces(text)}
    chosen = [(text, label) for text, label in labels.items() if text in pieces]
    held, validation = aside[:HELD_OUT], aside[HELD_OUT:]
    return Parts(train=chosen, validation=[(t, labels[t]) for t in validation], held_out=[(t, labels[t]) for t in held])


def _sentences(texts: Any) -> list[str]:  # Any: an iterable of texts with a length
    """The texts that are no piece of another one."""
    seen: set[str] = set()
    found = []
    for text in sorted(texts, key=lambda text: (-len(text.split()), text)):
        if text not in seen:
            found.append(text)
            seen.update(_pieces(text))
    return found


def _pieces(text: str) -> Iterator[str]:
    for length in range(1, len(text.split()) + 1):
        yield from _runs(text, length)


def _runs(text: str, length: int) -> Iterator[str]:
    words = text.split()
    return (" ".join(words[at : at + length]) for at in range(len(words) - length + 1))


def train_tokenizer(texts: Sequence[str], folder: Path) -> Any:  # Any: transformers has no types
    """WordPiece learned on the training texts, the same one each time.

    The trainer numbers inner letters in the order in which it happens to meet them, and settles ties by number: so they
    are given their numbers before.
    """
    letters = [f"##{letter}" for letter in sorted({letter for text in texts for letter in text.lower()} - {" "})]
    learned = BertWordPieceTokenizer(lowercase=True)
    learned.train_from_iterator(
        texts, vocab_size=VOCABULARY, min_frequency=2, show_progress=False, special_tokens=[*SPECIAL, *letters]
    )
    folder.mkdir(parents=True, exist_ok=True)
    learned.save_model(str(folder))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True, model_max_length=TOKENS)
    tokenizer.save_pretrained(folder)
    return tokenizer


def build_network(tokenizer: Any, options: argparse.Namespace) -> Any:  # Any: as above
    """Fresh weights."""
    torch.manual_seed(options.seed)
    config = BertConfig(  # type: ignore[call-arg]  # the classes are an option of its parent, passed on
        vocab_size=len(tokenizer), hidden_size=options.width, num_hidden_layers=options.layers,
        num_attention_heads=options.width // 32, intermediate_size=4 * options.width, max_position_embeddings=TOKENS,
        hidden_dropout_prob=0.15, attention_probs_dropout_prob=0.1, num_labels=2,
    )  # fmt: skip
    return BertForSequenceClassification(config)


class Texts:
    """Texts as token numbers; batches of similar length, padded to their longest."""

    def __init__(self, rows: Sequence[Row], tokenizer: Any) -> None:  # Any: as above
        self.ids = tokenizer([text for text, _ in rows], truncation=True, max_length=TOKENS)["input_ids"]
        self.labels = np.array([label for _, label in rows])
        self.mask, self.special = tokenizer.mask_token_id, tokenizer.cls_token_id

    def batches(self, generator: np.random.Generator | None) -> Iterator[dict[str, torch.Tensor]]:
        """Every text once; at random with a generator, which also hides some tokens."""
        count = len(self.ids)
        noise = generator.random(count) * 4 if generator else np.zeros(count)
        by_length = np.argsort(np.array([len(ids) for ids in self.ids]) + noise, kind="stable")
        batches = [by_length[at : at + BATCH] for at in range(0, count, BATCH)]
        for at in generator.permutation(len(batches)) if generator else range(len(batches)):
            yield self._batch(batches[at], generator)

    def _batch(self, rows: np.ndarray[Any, Any], generator: np.random.Generator | None) -> dict[str, torch.Tensor]:
        longest = max(len(self.ids[row]) for row in rows)
        ids, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(self.ids[row])], mask[at, : len(self.ids[row])] = self.ids[row], 1
        if generator:
            hidden = (generator.random(ids.shape) < WORDS_HIDDEN) & (mask == 1)
            hidden[:, 0] = False
            ids[hidden] = self.mask
        given = {"input_ids": ids, "attention_mask": mask, "labels": self.labels[rows]}
        return {name: torch.from_numpy(values) for name, values in given.items()}


def train(network: Any, texts: Texts, validation: Texts, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train until the validation loss rises, keep the weights before that, and give what each epoch brought."""
    steps = math.ceil(len(texts.ids) / BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / (steps * options.epochs)))
    place, history, best = options.out / "training.ckpt", [], None
    if place.is_file():
        saved = torch.load(place, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        history, best = saved["history"], saved["best"]
    for epoch in range(len(history), options.epochs):
        if _rises([each["validation_loss"] for each in history]):
            break
        torch.manual_seed(options.seed + epoch)
        start = time.perf_counter()
        loss = _learn(network, texts.batches(np.random.default_rng([options.seed, epoch])), optimizer, schedule) / steps
        checked = evaluate(network, validation)
        history.append({"loss": loss, **checked, "seconds": time.perf_counter() - start})
        print(json.dumps(history[-1]), flush=True)
        if checked["validation_loss"] == min(each["validation_loss"] for each in history):
            best = {name: weight.clone() for name, weight in network.state_dict().items()}
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
        torch.save({**state, "schedule": schedule.state_dict(), "history": history}, place.with_suffix(".new"))
        place.with_suffix(".new").replace(place)
    network.load_state_dict(best)
    return history


def _learn(network: Any, batches: Iterator[dict[str, torch.Tensor]], optimizer: Any, schedule: Any) -> float:
    """One epoch; the sum of its losses. Any: PyTorch's schedules have no types."""
    network.train()
    total = 0.0
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=AMX):
            loss = network(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        total += float(loss.detach())
    return total


def _rises(losses: Sequence[float]) -> bool:
    return len(losses) > 1 and losses[-1] >= min(losses[:-1])


def _rate(done: float) -> float:
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


@torch.no_grad()
def evaluate(network: Any, texts: Texts) -> dict[str, float]:
    """Loss and accuracy, in float32."""
    network.eval()
    loss, right = 0.0, 0
    for batch in texts.batches(None):
        answer = network(**batch)
        loss += float(answer.loss) * len(batch["labels"])
        right += int((answer.logits.argmax(1) == batch["labels"]).sum())
    return {"validation_loss": loss / len(texts.labels), "validation_accuracy": right / len(texts.labels)}


def write_lines(lines: Sequence[str], path: Path) -> None:
    """As `tsv:` reads them."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = divide(read_rows(options.data / "train.tsv"), options.seed)
    long = [text for text, _ in parts.train if len(text.split()) >= SHORTEST]
    held_out = [f"{text}\t{label}" for text, label in [*parts.held_out, *read_rows(options.data / "dev.tsv")]]
    write_lines(["sentence", *long], options.out / "unlabelled.tsv")
    write_lines(["sentence\tlabel", *held_out], options.out / "held_out.tsv")
    print(len(parts.train), len(parts.validation), len(parts.held_out), flush=True)
    tokenizer = train_tokenizer([text for text, _ in parts.train], options.out / "network")
    network = build_network(tokenizer, options)
    history = train(network, Texts(parts.train, tokenizer), Texts(parts.validation, tokenizer), options)
    network.save_pretrained(options.out / "network")
    (options.out / "history.json").write_text(json.dumps(history, indent=1) + "\n")


if __name__ == "__main__":
    main()
