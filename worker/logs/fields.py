"""The field lists of the log lines, as those need them who read a log: dashboards, index templates, the report."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

Kind = Literal["text", "whole", "decimal", "flag", "texts", "wholes"]
_KINDS: dict[Any, Kind] = {
    str: "text", int: "whole", float: "decimal", bool: "flag", list[str]: "texts", list[int]: "wholes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineField:
    """One field of a log line."""

    name: str
    """As on the line, with dots."""
    kind: Kind
    """texts and wholes: lists of them."""
    about: str
    nullable: bool = False

    @property
    def label(self) -> str:
        """As Loki names it: letters, digits and underscores."""
        return "".join(c if c.isalnum() else "_" for c in self.name)


def fields_of(line: Any) -> dict[str, LineField]:
    """The fields of a typed dictionary whose annotations carry a description, in its order."""
    return {name: _field(name, hint) for name, hint in get_type_hints(line, include_extras=True).items()}


def _field(name: str, hint: Any) -> LineField:
    kind, about = get_args(hint)[0], next(part for part in hint.__metadata__ if isinstance(part, FieldInfo))
    nullable = False
    if get_origin(kind) in (Union, UnionType):
        nullable = NoneType in get_args(kind)
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        kind = str
    return LineField(name, _KINDS[kind], about.description or "", nullable)
