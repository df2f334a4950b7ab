from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from offramp import data
from offramp.decide import Target
from offramp.errors import DataError, OptionError
from offramp.pipeline._problem import check_counts, find_shape, gather
from offramp.pipeline._request import Request
from offramp.pipeline._screen import Screen


def request(**changes: Any) -> Request:
    usual = {"model": "zoo:mlp", "train": "digits@train", "out": Path("o"), "target": Target(knee=True)}
    return Request(**{**usual, **changes})


def test_four_sets_share_no_sample() -> None:
    parts = gather(request(held_out="digits@test"), Screen()).parts
    ids = np.concatenate([part.ids for part in parts.values()])
    assert len(np.unique(ids)) == len(ids) == 1797
    assert [len(part) for part in parts.values()] == [1000, 239, 279, 279]


def test_without_held_out_samples_some_are_set_aside_and_the_user_is_told() -> None:
    screen = Screen()
    problem = gather(request(), screen)
    assert (len(problem.train), problem.held_out) == (600, False)
    assert "40 %" in screen.warnings[0]


def test_samples_in_both_sets_are_refused() -> None:
    with pytest.raises(DataError, match="in both"):
        gather(request(held_out="digits@train"), Screen())


@pytest.mark.parametrize("options", [{"mean": (0.1,), "std": (0.2,)}])
def test_mean_and_std_of_the_options_are_taken(options: dict[str, Any]) -> None:
    problem = gather(request(**options), Screen())
    assert (problem.mean, problem.std) == ((0.1,), (0.2,))


def test_a_network_of_the_users_code_is_told_the_shape_of_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_code.py").write_text(
        "from torch import nn\n"
        "def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    screen = Screen()
    problem = gather(request(model="own_code:net"), screen)
    assert problem.model.shapes == {"x": (1, 28, 28)}
    assert any("mean and std" in warning for warning in screen.warnings)


ORDER = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def folders(source: Path, **changes: Any) -> Request:
    return request(train=f"imagefolder:{source}@train", held_out=f"imagefolder:{source}@test", **changes)


def accuracy_of_names(labels: np.ndarray | None, ids: np.ndarray, names: tuple[str, ...]) -> float:
    """Share of the samples whose number is that of their folder."""
    assert labels is not None
    return float(
        np.mean([names[label] == name.split("/")[2] for label, name in zip(labels, ids.tolist(), strict=True)])
    )


def test_class_names_number_both_sets(class_folders: Path) -> None:
    problem = gather(folders(class_folders, class_names=ORDER), Screen())
    assert problem.class_names == ORDER
    for part in problem.parts.values():
        assert accuracy_of_names(part.labels, part.ids, ORDER) == 1


@pytest.mark.parametrize("missing", ["zero", "nine"])
def test_without_them_the_first_set_that_names_every_output_does(
    class_folders: Path, tmp_path: Path, missing: str
) -> None:
    names = tuple(sorted(ORDER))
    shutil.copytree(class_folders, tmp_path / "both", copy_function=os.link)
    shutil.rmtree(tmp_path / "both" / "test" / missing)
    train, test = (f"imagefolder:{tmp_path / 'both' / part}" for part in ("train", "test"))
    for one, other in ((train, test), (test, train)):
        problem = gather(request(train=one, held_out=other), Screen())
        assert problem.class_names == names
        for part in problem.parts.values():
            assert part.labels is not None
            assert all(names[label] in name for label, name in zip(part.labels, part.ids.tolist(), strict=True))


def test_fewer_names_than_outputs_name_nothing(class_folders: Path, tmp_path: Path) -> None:
    shutil.copytree(class_folders, tmp_path / "both", copy_function=os.link)
    for part in ("train", "test"):
        shutil.rmtree(tmp_path / "both" / part / "zero")
    screen = Screen()
    problem = gather(folders(tmp_path / "both"), screen)
    assert (problem.class_names, problem.calibrate.labels) == (None, None)
    assert sum("Name all by class_names" in text for text in screen.warnings) == 2  # a set each
    with pytest.raises(DataError, match="nobody says which"):
        gather(folders(tmp_path / "both", target=Target(max_loss=0.1, kind="harm")), Screen())


def test_the_wrong_number_of_class_names_is_refused(class_folders: Path) -> None:
    with pytest.raises(OptionError, match="must be 10, one per output of the network, but are 9"):
        gather(folders(class_folders, class_names=ORDER[1:]), Screen())


def write_set(path: Path, pictures: np.ndarray) -> str:
    np.savez(path, x=pictures)
    return f"npz:{path}"


@pytest.fixture
def digits() -> np.ndarray:
    found: np.ndarray = np.rint(data.load("digits@test").take(slice(None))["x"].transpose(0, 2, 3, 1) * 255)
    return found.astype(np.uint8)


def test_a_copy_under_another_name_is_no_other_set(tmp_path: Path, digits: np.ndarray) -> None:
    one, other = write_set(tmp_path / "one.npz", digits), write_set(tmp_path / "other.npz", digits[::-1])
    with pytest.raises(DataError, match=r"797 of 797 are in both, such as .*other/all/0"):
        gather(request(train=one, held_out=other), Screen())
    with pytest.raises(DataError, match="in both"):
        gather(request(train="digits@test", held_out=other), Screen())


def test_a_few_shared_samples_are_left_out(tmp_path: Path, digits: np.ndarray) -> None:
    one, other = write_set(tmp_path / "one.npz", digits[:304]), write_set(tmp_path / "other.npz", digits[300:])
    screen = Screen()
    problem = gather(request(train=one, held_out=other), screen)
    assert sum(map(len, problem.parts.values())) == 304 + 493
    assert any("4 of 497 samples" in text and "are in train too" in text for text in screen.warnings)


def test_samples_three_times_over_are_counted_once(tmp_path: Path, digits: np.ndarray) -> None:
    thrice = write_set(tmp_path / "thrice.npz", np.concatenate([digits] * 3))
    screen = Screen()
    parts = gather(request(held_out=thrice), screen).parts
    assert [len(parts[name]) for name in ("tune", "calibrate", "test")] == [239, 279, 279]
    assert any("1594 of 2391 samples" in text for text in screen.warnings)
    parts = gather(request(train=thrice), screen).parts  # split after it: no copy is learned from and proven on
    assert sum(map(len, parts.values())) == 797
    found = [data.fingerprint(part) for part in parts.values()]
    assert len(np.unique(np.concatenate(found))) == 797


def test_equal_names_of_other_pictures_are_no_reason(tmp_path: Path, digits: np.ndarray) -> None:
    sets = []
    for at, place in enumerate(("a/val", "b/val")):
        (tmp_path / place).mkdir(parents=True)
        for name, one in enumerate(digits[at::2]):
            Image.fromarray(one[..., 0]).save(tmp_path / place / f"{name}.png")
        sets.append(f"imagefolder:{tmp_path / place}")
    problem = gather(request(train=sets[0], held_out=sets[1]), Screen())
    assert len(np.intersect1d(problem.train.ids, problem.tune.ids)) > 0


def test_a_broken_picture_is_found_before_anything_is_trained(tmp_path: Path, digits: np.ndarray) -> None:
    for at, one in enumerate(digits[:60]):
        Image.fromarray(one[..., 0]).save(tmp_path / f"{at:02}.png")
    path = tmp_path / "41.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"41\.png must be a whole picture"):
        gather(request(held_out=f"imagefolder:{tmp_path}"), Screen())


def test_what_so_few_samples_cannot_prove_is_said() -> None:
    asked = request(held_out="digits@test", target=Target(max_loss=0.01))
    problem = gather(asked, Screen())
    with pytest.raises(DataError, match=r"needs 299 calibration samples, but 279 of 797 held out are\. Give .* 857"):
        check_counts(asked, problem)


@pytest.mark.parametrize(
    "goal",
    [
        Target(max_loss=0.01, confidence=0.5),
        Target(max_loss=0.001, kind="net"),
        Target(budget=0.5),
        Target(knee=True),
    ],
)
def test_goals_that_so_many_samples_can_prove_pass(goal: Target) -> None:
    asked = request(held_out="digits@test", target=goal)
    problem = gather(asked, Screen())
    check_counts(asked, problem)
    assert len(problem.calibrate) == 279


def test_as_many_samples_as_are_said_to_be_needed_are_enough(digits: np.ndarray, tmp_path: Path) -> None:
    asked = request(train=write_set(tmp_path / "all.npz", digits), target=Target(max_loss=0.1))
    problem = gather(asked, Screen())
    check_counts(asked, problem)  # 29 are needed, 112 there
    asked = replace(asked, target=Target(max_loss=0.02))
    with pytest.raises(DataError, match=r"needs 149 .* Give train 1,0[67]\d samples"):
        check_counts(asked, problem)


Write = Callable[..., Request]


@pytest.fixture
def own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes pictures of these sizes and forms, and asks for a network that takes any size."""
    (tmp_path / "any_size.py").write_text(
        "from torch import nn\n"
        "def net(channels=3):\n"
        "    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "                         nn.Linear(4, 3))\n"
    )
    monkeypatch.chdir(tmp_path)

    def write(*pictures: tuple[str, tuple[int, int]], rotated: bool = False, **changes: Any) -> Request:
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        for at, (mode, size) in enumerate(pictures):
            shade = 7 * at + 1
            picture = Image.new(mode, size, shade if mode == "L" else (shade,) * len(mode))
            exif = Image.Exif()
            if rotated and at % 2:
                exif[0x0112] = 6  # turn by a quarter to show it
            picture.save(folder / f"{at:02}.png", exif=exif)
        return request(model="any_size:net", train=f"imagefolder:{folder}", **changes)

    return write


def test_pictures_of_several_sizes_need_a_shape(own_network: Write) -> None:
    asked = own_network(*[("RGB", (12, 10))] * 30, ("RGB", (40, 30)))
    with pytest.raises(OptionError, match=r"any_size:net .* 2, such as 10 x 12 and 30 x 40\. Give shape="):
        gather(asked, Screen())
    assert gather(replace(asked, shape=(3, 11, 9)), Screen()).model.shapes == {"x": (3, 11, 9)}


def test_held_out_pictures_of_another_size_need_one_too(own_network: Write, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "held" / "1.png")
    with pytest.raises(OptionError, match="Give shape="):
        find_shape(own_network(*[("RGB", (12, 10))] * 3, held_out=f"imagefolder:{tmp_path / 'held'}"))


def test_one_size_is_taken_whatever_the_colors(own_network: Write) -> None:
    assert find_shape(own_network(("L", (12, 10)), ("RGB", (12, 10)), ("RGBA", (12, 10)))) == (3, 10, 12)


def test_a_turn_that_only_a_camera_noted_is_not_made(own_network: Write) -> None:
    asked = own_network(*[("RGB", (12, 10))] * 4, rotated=True)  # nor does torchvision when it trains
    assert find_shape(asked) == (3, 10, 12)
    assert data.load(asked.train).take(slice(None))["x"].shape == (4, 3, 10, 12)


def test_networks_that_say_what_they_read_are_asked_first(own_network: Write) -> None:
    asked = own_network(*[("L", (12 + at, 10)) for at in range(30)])
    assert gather(replace(asked, model="zoo:mlp"), Screen()).model.shapes == {"x": (1, 28, 28)}
