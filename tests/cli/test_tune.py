"""``fusedet tune`` as it is typed; whole searches are in tests/train/tune."""

import pytest

from tests.commands import Refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nano", "--search", "optim.lr=0.1..1"], "the following arguments are required: --out"),
        (["nano", "--out", "s", "--search", "optim.lrr=0.1..1"], "unknown key, did you mean 'lr'"),
        (["nano", "--out", "s", "--search", "optim.lr=0.1..1", "--trials", "0"], "--trials must be at least 1"),
        (["nano", "train.out=x", "--out", "s", "--search", "optim.lr=0.1..1"], "a search takes --out"),
        (["nano", "train.devices=2", "--out", "s", "--search", "optim.lr=0.1..1"], "a search trains in one process"),
        (["nanoo", "--out", "s", "--search", "optim.lr=0.1..1"], "did you mean 'nano'"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(arguments: list[str], message: str, refused: Refused) -> None:
    refused(["tune", *arguments], message)
