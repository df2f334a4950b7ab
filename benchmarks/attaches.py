"""Sixty untrained networks of torchvision, timm, transformers and by hand: does each still take two exits?

Run: python benchmarks/attaches.py [--name NAME] [--before FILE] [--only WORD] (writes benchmarks/results/NAME.json and
NAME.md; about five minutes on one core). Nothing is downloaded. --before compares with an earlier NAME.json: the exit
code is 1 if a network attached then and does not now, or if the multiply-accumulates of one have changed.

Inputs are small, since only the structure matters. Where torchvision is of another build than PyTorch, its networks
load all the same once the two operators that it misses have a name.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import _operators  # noqa: F401  # before torchvision
import torch
from _results import RESULTS, read_rows, write_rows
from torch import Tensor, nn

from offramp import attach, capture

Made = tuple[nn.Module, Any]  # a network and its example
TORCHVISION = {  # name -> pixels on a side
    "alexnet": 64, "convnext_tiny": 64, "densenet121": 64, "efficientnet_b0": 64, "efficientnet_v2_s": 64,
    "googlenet": 64, "inception_v3": 96, "maxvit_t": 224, "mnasnet0_5": 64, "mobilenet_v2": 64,
    "mobilenet_v3_large": 64, "mobilenet_v3_small": 64, "regnet_x_400mf": 64, "regnet_y_400mf": 64, "resnet18": 64,
    "resnet50": 64, "resnext50_32x4d": 64, "shufflenet_v2_x0_5": 64, "squeezenet1_1": 64, "swin_t": 64,
    "swin_v2_t": 64, "vgg11": 64, "vgg11_bn": 64, "vit_b_32": 224, "wide_resnet50_2": 64,
}  # fmt: skip
TIMM = {
    "convmixer_768_32": 64, "convnext_atto": 64, "deit_tiny_distilled_patch16_224": 224, "efficientformerv2_s0": 224,
    "ghostnet_050": 64, "hardcorenas_a": 64, "hrnet_w18_small": 64, "levit_128s": 224, "lcnet_050": 64,
    "mixer_s32_224": 224, "mobilevit_xxs": 64, "nf_resnet26": 64, "pit_ti_224": 224, "poolformer_s12": 64,
    "regnetx_002": 64, "repvgg_a0": 64, "res2net50_26w_4s": 64, "resnet10t": 64, "resmlp_12_224": 224,
    "tf_efficientnet_lite0": 64, "visformer_tiny": 224, "vit_tiny_patch16_224": 224, "xcit_nano_12_p16_224": 224,
}  # fmt: skip
_SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
_WAVES = {
    "conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8,
}  # fmt: skip
_TEXT = {"vocab_size": 90, "max_position_embeddings": 16}
TRANSFORMERS: dict[str, tuple[str, dict[str, Any], tuple[int, ...] | str]] = {  # family -> task, options, input
    "Bert": ("Sequence", {**_SMALL, **_TEXT}, "ids"),
    "Roberta": ("Sequence", {**_SMALL, "vocab_size": 90, "max_position_embeddings": 20, "pad_token_id": 1}, "ids"),
    "DistilBert": ("Sequence", {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64, **_TEXT}, "ids"),
    "Electra": ("Sequence", {**_SMALL, **_TEXT, "embedding_size": 16}, "ids"),
    "ViT": ("Image", {**_SMALL, "image_size": 32, "patch_size": 8}, (3, 32, 32)),
    "DeiT": ("Image", {**_SMALL, "image_size": 32, "patch_size": 8}, (3, 32, 32)),
    "ResNet": ("Image", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, (3, 32, 32)),
    "ConvNext": ("Image", {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, (3, 64, 64)),
    "AST": ("Audio", {**_SMALL, "max_length": 48, "num_mel_bins": 32, "patch_size": 16}, (48, 32)),
    "Wav2Vec2": ("Sequence", {**_SMALL, **_WAVES}, (800,)),
}


class Residual(nn.Module):
    """A block with a sum around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """From a batch to its answer."""
        around: Tensor = x + self.inner(x)
        return around


class Reader(nn.Module):
    """Embeds tokens, runs a recurrent layer, answers by its last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.embed, self.mix, self.layer, self.last = nn.Embedding(90, 16), nn.Linear(16, 16), layer, nn.Linear(64, 5)
        self.after, self.wide = nn.Linear(16, 64), nn.Linear(64, 64)

    def forward(self, ids: Tensor) -> Any:
        """From a batch to its answer."""
        states, _ = self.layer(torch.relu(self.mix(self.embed(ids))))
        return self.last(torch.relu(self.wide(torch.relu(self.after(states[:, -1])))))


class Pair(nn.Module):
    """Answers with logits and with something that cannot be them."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.first, self.last = form, nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
        self.deeper = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())

    def forward(self, x: Tensor) -> Any:
        """From a batch to its answer."""
        maps = self.deeper(torch.relu(self.first(x)))
        logits = self.last(maps.mean((2, 3)))
        return (logits, maps) if self.form == "tuple" else {"loss": logits.sum(), "logits": logits, "maps": maps}


class TwoInputs(nn.Module):
    """Reads a picture and numbers beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.mix, self.last = (
            nn.Conv2d(3, 8, 3),
            nn.Linear(4, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 3),
        )

    def forward(self, picture: Tensor, numbers: Tensor) -> Any:
        """From a batch to its answer."""
        both = self.first(picture).mean((2, 3)) + self.second(numbers)
        return self.last(torch.relu(self.mix(torch.relu(both))))


def by_hand() -> dict[str, Callable[[], Made]]:
    picture, ids = torch.randn(2, 3, 32, 32), torch.randint(0, 90, (2, 8))
    stem, blocks = nn.Conv2d(3, 16, 3), [Residual(16) for _ in range(3)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 3)
    return {
        "perceptron": lambda: (
            nn.Sequential(
                nn.Flatten(), nn.Linear(3072, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
            ),
            picture,
        ),
        "residual blocks": lambda: (nn.Sequential(stem, *blocks, *end), picture),
        "log-softmax": lambda: (nn.Sequential(stem, *blocks, *end, nn.LogSoftmax(1)), picture),
        "softmax": lambda: (nn.Sequential(stem, *blocks, *end, nn.Softmax(1)), picture),
        "recurrent": lambda: (Reader(nn.GRU(16, 16, batch_first=True)), ids),
        "long memory": lambda: (Reader(nn.LSTM(16, 16, 2, batch_first=True)), ids),
        "encoder": lambda: (
            nn.Sequential(nn.Embedding(90, 16), encoder, nn.Flatten(), nn.Linear(128, 5)),
            ids,
        ),
        "a tuple": lambda: (Pair("tuple"), picture),
        "a dictionary": lambda: (Pair("dictionary"), picture),
        "two inputs": lambda: (TwoInputs(), {"picture": picture, "numbers": torch.randn(2, 4)}),
    }


def from_torchvision(name: str, size: int) -> Made:
    models = importlib.import_module("torchvision.models")
    quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, num_classes=10, **quiet), torch.randn(2, 3, size, size)


def from_timm(name: str, size: int) -> Made:
    return importlib.import_module("timm").create_model(name, num_classes=10), torch.randn(2, 3, size, size)


def from_transformers(family: str) -> Made:
    transformers = importlib.import_module("transformers")
    task, options, shape = TRANSFORMERS[family]
    config = getattr(transformers, f"{family}Config")(**options, num_labels=3)
    model = getattr(transformers, f"{family}For{task}Classification")(config)
    if shape == "ids":
        ids = torch.randint(2, 90, (2, 8))
        return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return model, {model.main_input_name: torch.randn(2, *map(int, shape))}


def networks() -> Iterator[tuple[str, Callable[[], Made]]]:
    for name, size in TORCHVISION.items():
        yield f"torchvision:{name}", partial(from_torchvision, name, size)
    for name, size in TIMM.items():
        yield f"timm:{name}", partial(from_timm, name, size)
    for family in TRANSFORMERS:
        yield f"transformers:{family}", partial(from_transformers, family)
    for name, make in by_hand().items():
        yield f"by hand:{name}", make


def try_one(make: Callable[[], Made]) -> dict[str, Any]:
    """What became of one network."""
    torch.manual_seed(0)
    try:
        model, example = make()
    except Exception as error:
        return {"outcome": "cannot be made", "says": _brief(error)}
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            graph = attach.exits(model, example, count=2)
        except Exception as error:
            return {"outcome": "refused", "says": _brief(error), "seconds": round(time.perf_counter() - start, 1)}
        seconds = time.perf_counter() - start
        captured = capture.capture(model, example)
    ours = [str(one.message) for one in told if one.category.__name__ == "OfframpWarning"]
    return {
        "outcome": "attached",
        "seconds": round(seconds, 1),
        "cuts": len(captured.cuts),
        "exits": len(graph.exits) - 1,
        "macs": captured.macs,
        "warnings": sorted(set(ours)),
    }


def compare(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What got worse, one line each."""
    lost = [name for name in before if before[name]["outcome"] == "attached" != now.get(name, {}).get("outcome")]
    both = [name for name in before if name in now and before[name]["outcome"] == now[name]["outcome"] == "attached"]
    counted = [
        f"{name}: {before[name]['macs']:,} MACs became {now[name]['macs']:,}"
        for name in both
        if before[name]["macs"] != now[name]["macs"]
    ]
    return [f"{name}: {now.get(name, {}).get('says', 'not tried')}" for name in lost] + counted


def to_markdown(found: dict[str, Any]) -> str:
    attached = sum(one["outcome"] == "attached" for one in found.values())
    lines = [
        f"{attached} of {len(found)} networks take two exits.",
        "",
        "| network | outcome | s | cut points | MACs |",
    ]
    lines.append("|---|---|---|---|---|")
    for name, one in found.items():
        told = "; ".join([one["outcome"], *([one["says"]] if "says" in one else one["warnings"])])
        macs = f"{one['macs']:,}" if "macs" in one else ""
        lines.append(f"| {name} | {told} | {one.get('seconds', '')} | {one.get('cuts', '')} | {macs} |")
    return "\n".join(lines) + "\n"


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200]}".replace("|", "/")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="attaches")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name, make in networks():
        if options.only in name:
            found[name] = try_one(make)
            print(name, found[name], flush=True)
    if not options.only:
        rows = [{"network": name, **one} for name, one in found.items()]
        write_rows(RESULTS / f"{options.name}.json", rows, seed=0)
        (RESULTS / f"{options.name}.md").write_text(to_markdown(found), encoding="utf-8")
    worse = compare({row["network"]: row for row in read_rows(options.before)}, found) if options.before else []
    print(*worse, sep="\n")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
