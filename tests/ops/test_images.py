"""Images of containers: each pinned by digest or in the one list with its reason; and Redis without a known vulnerability.

After CVE-2025-49844, whose mend does not reach who pinned a version and never looked again (kubeblocks-addons#2122,
OT-CONTAINER-KIT/redis#115).
"""

from __future__ import annotations

import re

import pytest
import yaml

from ops.images import ROOT, UNPINNED, faults, named
from worker.doctor.vulnerabilities import VULNERABILITIES, vulnerabilities

DIGEST = "@sha256:" + "0" * 64


def test_every_image_that_is_named_is_pinned_or_listed_with_its_reason() -> None:
    images = named()
    assert set(images.values()) >= {"docker-compose.yml", "ops/Dockerfile", "ops/kubernetes/kustomization.yaml"}
    assert {image.rpartition(":")[0] for image in images} >= {"redis", "python", "grafana/loki", "claim-scrubber"}
    assert faults(images) == []
    assert all(len(reason) > 20 for reason in UNPINNED.values())


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("nginx:1.29.1", "has no digest"),
        ("nginx", "has a tag that moves"),
        ("redis:latest", "has a tag that moves"),
        ("redis:7", "has a tag that moves"),
        ("redis:7.4-bookworm", "has a tag that moves"),
        ("localhost:5000/redis", "has a tag that moves"),
        ("quay.io/other/redis:7.4.11", "has no digest"),
    ],
)
def test_a_new_image_and_a_moving_tag_are_faults(image: str, told: str) -> None:
    found = [fault for fault in faults({**named(), image: "docker-compose.yml"}) if image in fault]
    assert any(told in fault for fault in found), found


def test_one_with_a_digest_needs_no_reason_and_a_reason_that_is_no_longer_needed_is_a_fault() -> None:
    images = named()
    assert faults({**images, f"nginx:1.29.1{DIGEST}": "docker-compose.yml"}) == []
    pinned = {f"{image}{DIGEST}" if image.startswith("grafana/loki") else image: file for image, file in images.items()}
    assert faults(pinned) == ["ops/images.py: grafana/loki is not named without a digest any more"]


def test_lint_asks_for_it() -> None:
    assert re.search(r"^lint:.*\n(\t.*\n)*\t@\$\(BIN\)/python -m ops\.images\n", (ROOT / "Makefile").read_text(), re.M)


def test_the_redis_of_the_compose_file_has_no_known_hole() -> None:
    image = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["redis"]["image"]
    version = re.match(r"redis:([\d.]+)-", image)
    assert version
    assert vulnerabilities("Redis", version[1]) == []
    assert [one.id for one, _ in vulnerabilities("Redis", "7.4.2")] == [
        "CVE-2025-49844", "CVE-2026-23479", "CVE-2026-66373", "CVE-2026-81934",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("product", "version", "mended"),
    [
        ("Redis", "7.4.5", "7.4.6"), ("Redis", "8.2.1", "8.2.2"), ("Redis", "8.0.3", "8.0.4"), ("Redis", "7.2.10", "7.2.11"),
        ("Redis", "6.2.19", "6.2.20"), ("Redis", "7.0.15", "7.2.11"), ("Valkey", "8.1.3", "8.1.4"),
        ("Valkey", "8.0.5", "8.0.6"), ("Valkey", "7.2.10", "7.2.11"),
        ("Redis", "7.4.6", None), ("Redis", "8.2.2", None), ("Redis", "8.10.0", None), ("Valkey", "8.1.4", None),
        ("Valkey", "9.1.2", None), ("Valkey", "7.2.11", None), ("Redis", "7.2.11", None), ("Redis", "255.255.255", None),
        ("Redis", "unstable", None),
    ],
)  # fmt: skip
def test_the_lua_hole_is_known_of_each_line(product: str, version: str, mended: str | None) -> None:
    found = {one.id: str(end) for one, end in vulnerabilities(product, version)}
    assert found.get("CVE-2025-49844") == mended


def test_every_hole_has_an_id_a_source_and_ranges_that_end() -> None:
    for one in VULNERABILITIES:
        assert re.fullmatch(r"CVE-20\d\d-\d{4,}", one.id)
        assert one.source.startswith("https://")
        assert one.product in ("Redis", "Valkey")
        assert one.affected
        assert all("<" in ranges for ranges in one.affected)
