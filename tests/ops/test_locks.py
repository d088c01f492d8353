"""The lock files are installed as they stand: they have to name all that their packages need."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def locked(name: str) -> dict[str, Requirement]:
    """The packages of a lock file that are for this machine, by name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.rstrip("\\ ")) for line in lines if line and not line[0].isspace()]
    return {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate()}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_each_package_that_a_locked_one_needs_is_locked_in_a_version_that_it_takes(name: str) -> None:
    packages = locked(name)
    assert len(packages) > 30
    for one in packages.values():
        for text in distribution(one.name).requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                found = packages.get(canonicalize_name(need.name))
                assert found is not None, f"{one.name} needs {need}"
                (pin,) = found.specifier
                assert need.specifier.contains(pin.version, prereleases=True), f"{one.name} needs {need}, not {found}"


def test_both_lock_the_same_versions() -> None:
    small, whole = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: str(one) for name, one in small.items()} == {name: str(whole[name]) for name in small}
