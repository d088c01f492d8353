"""The settings as people may see them: each with its value, where that is from, and what it is for; no password."""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from worker.config.settings import PREFIX, Settings
from worker.errors import SettingUnknown

Origin = Literal["environment", "default"]

_DERIVED = {
    "secret_file": "secret_path", "audit_dir": "audit_path", "snapshot_dir": "snapshot_path",
    "case_store": "case_store_url",
}  # fmt: skip
"""What stands in place of a setting that is not set."""
_USER = re.compile(r"(://[^/?#:@]*):.*(?=@)")
_PARAMETER = re.compile(r"(?<=[?&])([^=&]*(?:pass|secret|token)[^=&]*)=[^&]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One setting."""

    name: str
    """Of its environment variable."""
    value: str
    """As it would be set; passwords are hidden. Empty: nothing."""
    origin: Origin
    about: str
    """What it is for, and its unit."""


def told(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Told]:
    """Every setting, in the order of the table."""
    environ = os.environ if environ is None else environ
    about = _docstrings()
    return [
        Told(
            name=f"{PREFIX}{name.upper()}",
            value=hidden(_value(settings, name)),
            origin="environment" if environ.get(f"{PREFIX}{name.upper()}") else "default",
            about=about[name],
        )
        for name in Settings.model_fields
    ]


def named(names: Sequence[str], settings: Sequence[Told]) -> list[Told]:
    """Those whose names have one of these in them, in any case; no name: all.

    Raises:
        SettingUnknown: of a name that no setting has in its own
    """
    parts = [name.upper().replace("-", "_") for name in names]
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name, part in zip(names, parts, strict=True):
        if not any(part in one for one in known):
            near = get_close_matches(f"{PREFIX}{part.removeprefix(PREFIX)}", known, n=1)
            raise SettingUnknown(name=name, near=f"; did you mean {near[0]}?" if near else "")
    return [one for one in settings if not parts or any(part in one.name for part in parts)]


def hidden(url: str) -> str:
    """A URL, or any other text, without the passwords that a URL may carry."""
    return _PARAMETER.sub(r"\1=***", _USER.sub(r"\1:***", url))


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if value is None and name in _DERIVED:
        value = getattr(settings, _DERIVED[name])
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _docstrings() -> dict[str, str]:
    """Of the fields, from the source: kept nowhere at run time, and pydantic would read them at each start."""
    (table,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(table, ast.ClassDef)
    found: dict[str, str] = {}
    name = ""
    for node in table.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
            name = ""
        else:
            name = ""
    return found
