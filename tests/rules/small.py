"""A small library of our own, sound as it stands, for tests to break and bend."""

from __future__ import annotations

from collections.abc import Mapping

from rules.tables.table import SPECS

RULE = """\
code: UNT001
title: One unit
payers: [medicare]
bills_as: [practitioner]
scope: line
status: active
versions:
  - effective: {from: 2026-01-01}
    severity: block
    require: {units: {le: 1}}
    message: "64445 has {units} units."
    fix: "Set units to 1."
    patch: [{op: replace, path: "/lines/{line}/units", value: "1"}]
    citation: {source: manual, locator: "page 1", grade: A}
examples:
  - {name: one, claim: {lines: [{units: 1}]}, expect: pass}
  - {name: two, claim: {lines: [{units: 2}]}, expect: fail}
"""
FILE = "procedures/64445/medicare/UNT001-one.yaml"
LIBRARY_FILES: Mapping[str, bytes] = {
    "book.yaml": b'version: "1"\ncovers_from: 2023-01-01\n',
    "sources.yaml": b"manual: {title: Manual, publisher: CMS, starts: 2026-01-01, grade: A}\n"
    b"hearsay: {title: Page, publisher: someone, starts: 2026-01-01, grade: B}\n",
    "procedures/64445/procedure.yaml": b'procedure: "64445"\nname: block\ncodes: ["64445"]\n',
    "payers/medicare.yaml": b"payer: medicare\nname: Medicare\ncovers_from: 2024-07-01\nfiling_indicators: [MB]\n",
    "payers/uhc.yaml": b"payer: uhc\nname: UHC\ncovers_from: 2023-01-01\nids: [{id: '87726', source: hearsay, grade: B}]\n",
    **{f"tables/{name}.csv": ",".join(spec.columns).encode() for name, spec in SPECS.items()},
}
