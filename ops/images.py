"""Every container image that is named here, and the one list of those without a digest: `python -m ops.images`.

A tag may be moved to other content, a digest cannot. A digest has to be looked up in the registry that the image comes
from; where that was not done, the image is in `UNPINNED` with the reason. A new image, a moving tag and an entry
that is no longer true fail the check.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
_TAGGED = "its tag names one release of its maker; look the digest up in your own registry and pin it there"
UNPINNED = {
    "claim-scrubber": "built from this checkout by docker compose",
    "registry.example/claim-scrubber": "a placeholder: the image that you built and pushed",
    "redis": _TAGGED,
    "python": _TAGGED,
    "tecnativa/docker-socket-proxy": _TAGGED,
    "grafana/loki": _TAGGED,
    "grafana/alloy": _TAGGED,
    "grafana/grafana": _TAGGED,
    "postgres": _TAGGED,
}
"""Repository of the image: why no digest stands behind its tag."""
_FIXED = re.compile(r"v?\d+\.\d+\.\d+([.-][\w.-]+)?")
"""A tag of one release: `latest`, `7` and `7.4` move."""
_FIXED_OF_TWO = re.compile(r"\d+\.\d+(-[\w.-]+)?")
_TWO = {"postgres"}
"""Whose releases have two numbers, and `17` moves."""


def named() -> dict[str, str]:
    """Each image with the file that names it."""
    found = {}
    for file in sorted([*ROOT.glob("*.y*ml"), *(ROOT / "ops").rglob("*.y*ml")]):
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            found |= dict.fromkeys(_in(document), _short(file))
    for file in sorted(path for path in ROOT.glob("ops/**/*Dockerfile*") if path.is_file()):
        found |= dict.fromkeys(_built_from(file.read_text("utf-8")), _short(file))
    for file in sorted([*ROOT.glob("*.md"), *(ROOT / "ops").rglob("*.md"), ROOT / "Makefile"]):
        text = file.read_text("utf-8")
        found |= dict.fromkeys(re.findall(r"docker (?:run|pull)(?: -\S+)* ([\w./:@-]+)", text), _short(file))
    return found


def _short(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _in(document: Any) -> Iterator[str]:
    """`image:` wherever it stands; what kustomize puts in place of a name instead of that name."""
    placed = {}
    if isinstance(document, dict) and document.get("kind") == "Kustomization":
        for entry in document.get("images", []):
            mark = f"@{entry['digest']}" if "digest" in entry else f":{entry.get('newTag', '')}"
            placed[entry["name"]] = f"{entry.get('newName', entry['name'])}{mark}"
        yield from placed.values()
    yield from _images(document)


def _images(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(image := node.get("image"), str) and image not in _placed():
            yield image
        for inner in node.values():
            yield from _images(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _images(inner)


def _placed() -> set[str]:
    """Names that kustomize replaces."""
    kustomization = yaml.safe_load((ROOT / "ops/kubernetes/kustomization.yaml").read_text("utf-8"))
    return {entry["name"] for entry in kustomization["images"]}


def _built_from(dockerfile: str) -> Iterator[str]:
    stages = set(re.findall(r"^FROM\s.*\sAS\s+(\S+)", dockerfile, re.MULTILINE | re.IGNORECASE))
    for image in re.findall(r"^FROM\s+(?:--\S+\s+)*(\S+)", dockerfile, re.MULTILINE | re.IGNORECASE):
        if image not in stages and image != "scratch":
            yield image
    for image in re.findall(r"--from=(\S+)", dockerfile):
        if image not in stages and not image.isdigit():
            yield image


def faults(images: dict[str, str]) -> list[str]:
    """What is wrong with them, as `file: sentence`."""
    found, seen = [], set()
    for image, file in images.items():
        if re.search(r"@sha256:[0-9a-f]{64}$", image):
            continue
        name, _, tag = image.partition("@")[0].rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
        seen.add(name)
        if not (_FIXED_OF_TWO if name in _TWO else _FIXED).fullmatch(tag):
            found.append(f"{file}: {image} has a tag that moves; expected one release, such as name:1.2.3")
        if name not in UNPINNED:
            found.append(
                f"{file}: {image} has no digest; pin it (name:tag@sha256:...), or give the reason in ops/images.py"
            )
    found += [f"ops/images.py: {name} is not named without a digest any more" for name in UNPINNED if name not in seen]
    return found


if __name__ == "__main__":
    wrong = faults(named())
    if "--list" in sys.argv[1:]:
        for image, file in named().items():
            name = image.rpartition(":")[0] or image
            sys.stdout.write(f"{image}  ({file})  {UNPINNED.get(name, 'pinned by digest')}\n")
    sys.exit("\n".join(wrong) or 0)
