"""Version, changelog and documents agree. ``make release-check`` also wants everything that a release needs."""

import os
import re
import subprocess
from datetime import date
from importlib.metadata import version as installed_version

import pytest

from fusedet.deploy.detector.bundle import BUNDLE_VERSION
from fusedet.deploy.detector.contract import FORMAT_VERSION
from tests import ROOT

#: MAJOR.MINOR.PATCH, perhaps with a mark such as rc1.
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((?:a|b|rc)\d+)?")
HEADING = re.compile(r"^## \[(.+?)\](?: - (.+))?$", re.MULTILINE)
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
RELEASING = bool(os.environ.get("FUSEDET_RELEASE"))
only_for_a_release = pytest.mark.skipif(not RELEASING, reason="make release-check")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def declared() -> str:
    (found,) = re.findall(r'^version = "(.+)"$', text_of("pyproject.toml"), re.MULTILINE)
    return str(found)


def number(version: str) -> tuple[int, ...]:
    match = VERSION.fullmatch(version)
    assert match, f"{version} is no semantic version"
    return tuple(map(int, match.groups()[:3]))


def sections() -> dict[str, str]:
    """Heading in the changelog -> what stands below it."""
    _, *parts = re.split(r"^(?=## \[)", text_of("CHANGELOG.md"), flags=re.MULTILINE)
    return {re.match(HEADING, part)[1]: part for part in parts}  # type: ignore[index]


def test_the_version_is_one() -> None:
    assert VERSION.fullmatch(declared())
    assert installed_version("fusedet") == declared(), "install anew: make does"


def test_nothing_else_says_the_version() -> None:
    """Code reads it from the installed package."""
    for package in ("cli", "configs", "deploy", "export", "model", "train"):
        for path in (ROOT / package).rglob("*.py"):
            assert f'"{declared()}"' not in path.read_text(encoding="utf-8"), path


def test_the_changelog_goes_back_in_time() -> None:
    headings = HEADING.findall(text_of("CHANGELOG.md"))
    assert headings[0] == ("Unreleased", "")
    numbers = [number(version) for version, _ in headings[1:]]
    assert numbers == sorted(set(numbers), reverse=True)
    days = [date.fromisoformat(day) for _, day in headings[1:]]
    assert days == sorted(days, reverse=True)
    assert all(number(declared()) >= one for one in numbers), "the version is older than the changelog"


def test_the_changelog_knows_six_kinds_of_change() -> None:
    for name, text in sections().items():
        kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert kinds == sorted(set(kinds), key=KINDS.index), name


def test_the_forms_of_files_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \| `(\w+)` in `([^`]+)` \|$", text_of("docs/releasing.md"), re.MULTILINE)
    assert len(rows) == 5
    for form, name, path in rows:
        assert re.search(rf'^{name} = "?{re.escape(form)}"?$', text_of(path), re.MULTILINE), f"{path}: {name}"
    assert (FORMAT_VERSION, BUNDLE_VERSION) == (1, 1)


@only_for_a_release
def test_the_release_has_its_section() -> None:
    found = sections()
    assert declared() in found, f"CHANGELOG.md has no section [{declared()}]"
    assert re.match(HEADING, found[declared()])[2] == date.today().isoformat()  # type: ignore[index]
    assert found["Unreleased"].strip() == "## [Unreleased]", "lines are left under [Unreleased]"


@only_for_a_release
def test_the_tree_is_clean_and_the_version_new() -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    assert git("tag", "--list", f"v{declared()}") == "", "this version is tagged already"
    changed = {line.split()[-1] for line in git("status", "--porcelain").splitlines()}
    assert changed <= {"pyproject.toml", "CHANGELOG.md"}, "commit everything else before"
