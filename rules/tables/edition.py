"""An imported edition of an official table: whose it is, when it speaks, and its rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.claim import iso_date
from rules.report import EditionId

_WORD = re.compile(r"[A-Za-z0-9_.]+")


Day = Annotated[date, BeforeValidator(iso_date)]


Text = Annotated[str, Field(min_length=1)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class File(_Shape):
    """An official file as it was handed over."""

    name: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Period(_Shape):
    """Dates of service, inclusive; no `to`: until a later edition."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day | None = None


class Edition(_Shape):
    """One edition of an official file, cut down to the rows that rules may ask for."""

    form: Literal[1] = 1
    """Of this file; a later program that writes another form counts up."""
    table: Text
    title: Text
    release: Text
    """As its publisher names it, such as `2026 Q3`."""
    publisher: Text = "CMS"
    url: str | None = None
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    speaks: Annotated[Mapping[str, Period], Field(min_length=1)]
    """When it speaks for which part of the table; the empty part is the whole table."""
    reaches_back: bool = False
    """Whether its rows carry their own dates, so that it also speaks for dates before it where no earlier one does."""
    rows: tuple[tuple[str, ...], ...]
    """The table's keys and values, then `from` and `to` as ISO dates; an empty `from` or `to` is without end."""

    @property
    def id(self) -> str:
        """Its name among the imported editions: table, part, release, and the start of its digest."""
        part = next(iter(self.speaks)) if len(self.speaks) == 1 else ""
        return "-".join(_WORD.findall(f"{self.table} {part} {self.release} {self.named.sha256:.8}"))

    @cached_property
    def named(self) -> EditionId:
        """As a report names it."""
        digests = [file.sha256 for file in self.files]
        digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return EditionId(self.table, self.title, self.release, digest)

    def text(self) -> bytes:
        """Its file: the same edition of the same official files has the same bytes, whoever writes it and when."""
        head = self.model_dump(mode="json", by_alias=True, exclude={"rows"})
        lines = [json.dumps(head, sort_keys=True)[:-1] + ', "rows": [']
        lines.append(",\n".join(json.dumps(row) for row in self.rows))
        return "\n".join([*lines, "]}", ""]).encode("ascii")
