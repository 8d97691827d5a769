import pickle
from pathlib import Path

import pytest
import torch

from fusedet.configs import InputError
from fusedet.model import load_checkpoint, load_detector, save_checkpoint


def save(net, path: Path) -> Path:
    save_checkpoint(
        path, {"ema": net.state_dict()}, {"model": net.config.model_dump(mode="json"), "names": ["a", "b", "c"]}
    )
    return path


def test_a_network_survives(net, tmp_path):
    loaded, meta = load_detector(save(net, tmp_path / "net.pt"))
    assert meta["names"] == ["a", "b", "c"]
    image = torch.rand(1, 3, 64, 64) * 255
    assert torch.equal(loaded(image).one_to_one.logits, net(image).one_to_one.logits)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"], "no half-written file may be left"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def text(path: Path) -> None:
    path.write_text("not a checkpoint")


def of_another_program(path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, path)


def with_code(path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(Path("/"), file, protocol=2)


@pytest.mark.parametrize("damage", [truncated, text, of_another_program, with_code])
def test_bad_files_are_named(net, tmp_path, damage):
    path = save(net, tmp_path / "net.pt")
    damage(path)
    with pytest.raises(InputError, match=r"net\.pt: not a fusedet checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"meta": 3}, "must hold a description and averaged weights"),
        ({"state": {"ema": {"stem": "text"}}}, "must hold a description and averaged weights"),
        ({"state": {}}, "must hold a description and averaged weights"),
        ({"meta": {}}, "describes a network that cannot be built: model"),
        ({"meta": {"model": {"classes": "many"}}}, r"cannot be built: model\.classes"),
        ({"names": ["a"]}, r"needs the names of its 3 classes, but has \['a'\]"),
        ({"names": None}, "needs the names of its 3 classes, but has None"),
        ({"state": {"ema": {}}}, "its weights are not those of the network that it describes"),
    ],
)
def test_the_right_format_around_a_wrong_content(net, tmp_path, change, said):
    path = save(net, tmp_path / "net.pt")
    content = torch.load(path, weights_only=True)
    if "names" in change:
        content["meta"] |= change
    else:
        content |= change
    torch.save(content, path)
    with pytest.raises(InputError, match=rf"net\.pt: .*{said}"):
        load_detector(path)


def test_a_key_of_any_length_is_told_in_a_line(net, tmp_path):
    path = save(net, tmp_path / "net.pt")
    content = torch.load(path, weights_only=True)
    content["meta"]["model"][5000 * "x"] = 1
    torch.save(content, path)
    with pytest.raises(InputError, match=r"cannot be built: model\.x{60}: "):
        load_detector(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
