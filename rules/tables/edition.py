"""An imported edition of an official table: whose it is, when it speaks, and its rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from rules.report import EditionId
from rules.tables.packedrows import SUFFIX, PackedRows
from rules.values import iso_date

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


class Packed(_Shape):
    """The rows of a whole table, which lie in a file of their own: see `rules.tables.packedrows`."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the rows; it is the name of their file as well."""
    rows: Annotated[int, Field(ge=0)]
    change_days: tuple[Day, ...] = ()
    """The days, in order, on which a row begins or is over."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.sha256}{SUFFIX}"


class Edition(_Shape):
    """One edition of an official file: whole, or cut down to the rows that rules may ask for."""

    form: Literal[1, 2] = 1
    """Of this file. 1: an extract, of pairs the rows that name one procedure. 2: every row of the official table.
    A later program that writes another form counts up."""
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
    packed: Packed | None = None
    """Where the rows are packed; `rows` is empty then."""
    _content: PackedRows | None = PrivateAttr(default=None)

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

    @property
    def whole(self) -> bool:
        """Whether a row that is not in it is not in the official table."""
        return self.form > 1

    @property
    def content(self) -> PackedRows | None:
        """The packed rows; None: they are in `rows`."""
        return self._content

    def holding(self, content: PackedRows) -> Self:
        """The same edition with its packed rows at hand."""
        found = self.model_copy()
        found._content = content
        return found

    @cached_property
    def procedure(self) -> str | None:
        """Of an extract of pairs: the procedure that all of its rows name. None: no one procedure, or it is whole."""
        if self.whole or self.table != "ncci_ptp" or len(self.rows) < 2:
            return None
        shared = set.intersection(*({row[1], row[2]} for row in self.rows))
        return shared.pop() if len(shared) == 1 else None

    @property
    def count(self) -> int:
        """How many rows it has."""
        return self.packed.rows if self.packed else len(self.rows)

    def all_rows(self) -> Iterator[tuple[str, ...]]:
        """Its rows, wherever they are."""
        if self._content is None:
            yield from self.rows
        else:
            (part,) = self.speaks
            for row in self._content.rows():
                yield part, *row

    def text(self) -> bytes:
        """Its file: the same edition of the same official files has the same bytes, whoever writes it and when."""
        exclude: set[str] = {"rows", *([] if self.packed else ["packed"])}
        head: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude=exclude)
        lines = [json.dumps(head, sort_keys=True)[:-1] + ', "rows": [']
        lines.append(",\n".join(json.dumps(row) for row in self.rows))
        return "\n".join([*lines, "]}", ""]).encode("ascii")
