"""The networks that capture must take, small and seeded, with an example of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Made = tuple[nn.Module, Any]


class Shortcut(nn.Module):
    """A CIFAR block: in-place sums, functional ReLU and a shortcut that is a lambda."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        stride = out // channels
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        pad = (0, 0, 0, 0, out // 4, out // 4)
        narrow: Callable[[Tensor], Tensor] = lambda x: F.pad(x[:, :, ::2, ::2], pad)  # noqa: E731  # as users write it
        self.shortcut: Callable[[Tensor], Tensor] = nn.Identity() if stride == 1 else narrow

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class CifarResNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages = [(16, 16), (16, 32), (32, 64)]
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(Shortcut(before, after), *(Shortcut(after, after) for _ in range(blocks - 1)))
            for before, after in stages
        )
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        out = F.avg_pool2d(out, out.size()[3])
        answer: Tensor = self.linear(out.view(out.size(0), -1))
        return answer


def mlp() -> Made:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.ReLU(inplace=True), nn.Linear(32, 16), nn.ReLU())
    return net.append(nn.Linear(16, 4)), torch.randn(2, 3, 4, 4)


def cifar() -> Made:
    return CifarResNet(2), torch.randn(2, 3, 32, 32)


def recurrent() -> Made:
    """Tuples inside, and a batch that torch.export must keep dynamic."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 8)
            self.layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
            self.linear = nn.Linear(8, 3)

        def forward(self, ids: Tensor) -> Tensor:
            answer: Tensor = self.linear(self.layer(self.embed(ids)).mean(1))
            return answer

    return Reader(), torch.randint(0, 9, (2, 6))


def torchvision_model(name: str, size: int, **arguments: Any) -> Callable[[], Made]:
    def make() -> Made:
        from torchvision import models

        return models.get_model(name, num_classes=10, **arguments), torch.randn(2, 3, size, size)

    return make


def timm_model(name: str) -> Callable[[], Made]:
    def make() -> Made:
        timm = pytest.importorskip("timm")
        return timm.create_model(name, num_classes=10), torch.randn(2, 3, 64, 64)

    return make


_SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}


def hf_vit() -> Made:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(**_SMALL, image_size=32, patch_size=8, num_labels=5)
    return transformers.ViTForImageClassification(config), {"pixel_values": torch.randn(2, 3, 32, 32)}


def hf_bert() -> Made:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(**_SMALL, vocab_size=90, max_position_embeddings=16, num_labels=3)
    ids = torch.randint(0, 90, (2, 8))
    return transformers.BertForSequenceClassification(config), {"input_ids": ids, "attention_mask": (ids > 9).long()}


NETWORKS: Mapping[str, Callable[[], Made]] = {
    "mlp": mlp,
    "cifar": cifar,
    "recurrent": recurrent,
    "resnet18": torchvision_model("resnet18", 32),
    "densenet121": torchvision_model("densenet121", 32),
    "mobilenet_v3_small": torchvision_model("mobilenet_v3_small", 64),
    "vit_b_16": torchvision_model("vit_b_16", 32, image_size=32),
    "swin_t": torchvision_model("swin_t", 64),
    "efficientnet_b0": timm_model("efficientnet_b0"),
    "convnext": timm_model("convnext_atto"),
    "hf_vit": hf_vit,
    "hf_bert": hf_bert,
}
EVAL_ONLY = {"recurrent", "hf_vit", "hf_bert"}


def make(name: str) -> Made:
    """The network with weights whose answers differ from sample to sample, in evaluation mode."""
    torch.manual_seed(0)
    model, example = NETWORKS[name]()
    for weight in model.parameters():
        if not weight.any():  # some come with zeros in their last layer
            nn.init.normal_(weight, std=0.1)
    model.train()
    with torch.no_grad():  # running statistics that keep signals alive on the way
        for _ in range(2 if any(isinstance(m, nn.BatchNorm2d) for m in model.modules()) else 0):
            call(model, more(example, 16))
    return model.eval(), example


def call(model: nn.Module, example: Any) -> Tensor:
    answer = model(**example) if isinstance(example, dict) else model(example)
    logits: Tensor = getattr(answer, "logits", answer)
    return logits


def more(example: Any, rows: int) -> Any:
    """Other inputs of the same kind."""
    if isinstance(example, dict):
        return {name: more(tensor, rows) for name, tensor in example.items()}
    if example.is_floating_point():
        return torch.randn(rows, *example.shape[1:])
    top = int(example.max())
    fresh = torch.randint(0, top + 1, (rows, *example.shape[1:]))
    fresh[:, 0] = top
    return fresh
