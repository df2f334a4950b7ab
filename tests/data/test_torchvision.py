"""Sets that torchvision reads."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from offramp.data import load, stored_sizes
from offramp.errors import DataError, UnknownReference

pytestmark = pytest.mark.usefixtures("vision")


def test_a_set_without_parts_is_read_as_a_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (51, 0, 0)).save(tmp_path / name / "1.png")
    samples = load(f"torchvision:ImageFolder:{tmp_path}")
    np.testing.assert_array_equal(samples.labels, [0, 1])
    assert samples.take([0, 1])["x"].shape == (2, 3, 4, 4)
    with pytest.raises(UnknownReference, match="no part 'test'"):
        load(f"torchvision:ImageFolder:{tmp_path}@test")


def test_folders_are_classes_by_name_and_sizes_are_seen(tmp_path: Path) -> None:
    for at, name in enumerate(("a", "c")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4 + at, 4)).save(tmp_path / name / "1.png")
    samples = load(f"torchvision:ImageFolder:{tmp_path}", class_names=("c", "b", "a"))
    np.testing.assert_array_equal(samples.labels, [2, 0])
    assert stored_sizes(samples) == {(4, 4), (4, 5)}


class Parted:
    """A set with the habits of torchvision's."""

    def __init__(self, root: str, train: bool = True) -> None:
        self.labels = [0, 1, 2] if train else [1]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, at: int) -> tuple[Image.Image, int]:
        return Image.new("L", (2, 2), self.labels[at]), self.labels[at]


class Split:
    """A set that keeps its labels where nobody would look."""

    def __init__(self, root: str, split: str) -> None:
        self.inside = Parted(root, {"train": True, "test": False}[split])

    def __len__(self) -> int:
        return len(self.inside)

    def __getitem__(self, at: int) -> tuple[Image.Image, int]:
        return self.inside[at]


class Boxes(Parted):
    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.targets = [[0.5, 0.5]] * 3


class Arrays(Parted):
    def __getitem__(self, at: int) -> tuple[np.ndarray, int]:  # type: ignore[override]  # no picture: the point
        return np.zeros(3), 0


@pytest.fixture
def sets(vision: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    for kind in (Parted, Split, Boxes, Arrays):
        monkeypatch.setattr(datasets, kind.__name__, kind, raising=False)
    monkeypatch.setattr(datasets, "__all__", ("CIFAR10", "Parted", "Split", "Boxes", "Arrays"))


@pytest.mark.usefixtures("sets")
@pytest.mark.parametrize("name", ["Parted", "Split"])
@pytest.mark.parametrize(("part", "labels"), [("train", [0, 1, 2]), ("test", [1])])
def test_parts_are_named_in_the_sets_own_way(name: str, part: str, labels: list[int]) -> None:
    samples = load(f"torchvision:{name}:here@{part}", channels=1)
    np.testing.assert_array_equal(samples.labels, labels)
    assert samples.ids[0] == f"{name}/{part}/0"
    np.testing.assert_allclose(samples.take(slice(None))["x"][:, 0, 0, 0] * 255, labels, rtol=1e-6)


@pytest.mark.usefixtures("sets")
@pytest.mark.parametrize(
    ("reference", "error", "said"),
    [
        ("torchvision:CIFAR10", UnknownReference, "torchvision:NAME:DIR"),
        ("torchvision:CIFAR1:here", UnknownReference, "'CIFAR10'"),
        ("torchvision:Parted:here@val", UnknownReference, "no part 'val'"),
        ("torchvision:Boxes:here", DataError, "one class number per picture"),
    ],
)
def test_what_is_no_classification_set_is_refused(reference: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load(reference)


@pytest.mark.usefixtures("sets")
def test_samples_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="holds ndarray"):
        load("torchvision:Arrays:here").take([0])


def test_an_absent_set_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must lie in .* Let torchvision download it there first"):
        load(f"torchvision:CIFAR10:{tmp_path}")
    assert list(tmp_path.iterdir()) == []
