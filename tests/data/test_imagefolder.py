"""Picture files in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offramp.data import class_names_of, load
from offramp.data._pictures import PictureSamples
from offramp.errors import DataError, UnknownReference


def write(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), (shade, 0, 0)).save(path)


def test_class_folders_are_labels_in_the_order_of_their_names(tmp_path: Path) -> None:
    for at, name in enumerate(["dog/2.png", "cat/1.png", "dog/deep/1.png"]):
        write(tmp_path / name, at)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    samples = load(f"imagefolder:{tmp_path}")
    assert samples.ids.tolist() == [f"{tmp_path.name}/{name}" for name in ("cat/1.png", "dog/2.png", "dog/deep/1.png")]
    np.testing.assert_array_equal(samples.labels, [0, 1, 1])
    np.testing.assert_allclose(samples.take(slice(None))["x"][:, 0, 0, 0] * 255, [1, 0, 2], rtol=1e-6)


def test_a_folder_without_class_folders_has_no_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    assert load(f"imagefolder:{tmp_path}").labels is None


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    for name in ("train/a/1.png", "train/b/1.png", "train/c/1.png", "val/c/1.png"):
        write(tmp_path / name, 0)
    return tmp_path


def test_a_class_that_a_part_lacks_shifts_no_label(parted: Path) -> None:
    np.testing.assert_array_equal(load(f"imagefolder:{parted}@val").labels, [2])


def test_a_train_beside_other_vehicles_is_a_class(tmp_path: Path) -> None:
    for name in ("train/1.png", "bus/1.png", "test/1.png"):
        write(tmp_path / name, 0)
    samples = load(f"imagefolder:{tmp_path}")
    assert class_names_of(samples) == ("bus", "test", "train")
    np.testing.assert_array_equal(samples.labels, [0, 1, 2])
    write(tmp_path / "train" / "cat" / "1.png", 0)  # but with classes inside it is a part
    assert class_names_of(load(f"imagefolder:{tmp_path}")) == ("cat",)


@pytest.mark.parametrize(("split", "count"), [(None, 3), ("train", 3), ("test", 1)])
def test_a_wish_for_test_is_met_by_val(parted: Path, split: str | None, count: int) -> None:
    assert len(load(f"imagefolder:{parted}", split=split)) == count


@pytest.mark.parametrize(
    ("place", "said"), [("@test", r"folder test, but has \['train', 'val'\]"), ("/val@train", r"has \[\]")]
)
def test_a_demanded_part_must_be_there(parted: Path, place: str, said: str) -> None:
    with pytest.raises(UnknownReference, match=said):
        load(f"imagefolder:{parted}{place}")


@pytest.mark.parametrize(("place", "said"), [("none", "is none"), ("empty", "has none")])
def test_a_place_without_pictures_is_refused(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "empty" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=said):
        load(f"imagefolder:{tmp_path / place}")


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png must be a whole picture"):
        load(f"imagefolder:{tmp_path}").take([0])


@pytest.mark.parametrize("extra", ["empty", "notes/read.txt", ".cache/1.png", "__MACOSX/cat/._1.png", "@eaDir/1.png"])
def test_folders_without_a_picture_of_the_user_are_no_classes(parted: Path, extra: str) -> None:
    path = parted / "train" / extra
    if path.suffix == ".png":
        write(path, 0)
    elif path.suffix:
        path.parent.mkdir()
        path.write_text("no picture")
    else:
        path.mkdir()
    samples = load(f"imagefolder:{parted}")
    assert class_names_of(samples) == ("a", "b", "c")
    assert len(samples) == 3


def test_hidden_folders_inside_a_class_hold_no_samples(parted: Path) -> None:
    write(parted / "train" / "a" / ".ipynb_checkpoints" / "1-checkpoint.png", 0)
    assert len(load(f"imagefolder:{parted}")) == 3


def test_folders_are_numbered_by_the_names_of_the_network(parted: Path) -> None:
    np.testing.assert_array_equal(load(f"imagefolder:{parted}", class_names="cxab").labels, [2, 3, 0])
    with pytest.raises(DataError, match="'c' is not"):
        load(f"imagefolder:{parted}", class_names="ab")


def test_sizes_are_read_without_decoding(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 0)
    cut = (tmp_path / "a.png").read_bytes()[:45]
    (tmp_path / "a.png").write_bytes(cut)  # its pixels are gone, its head is not
    samples = load(f"imagefolder:{tmp_path}")
    assert isinstance(samples, PictureSamples)
    assert samples.sizes() == {(2, 3)}
