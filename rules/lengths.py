"""How much is in a claim, looked at before anything in it: what is too long is refused without a look at its items.

Pydantic checks a list's length once it has validated every item, and keeps every problem (pydantic#8242,
pydantic-core#602): 300,000 empty lines, less than a megabyte, were 600,000 problems. What is counted here is read off
the model's own annotations.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from rules.errors import Problem

MOST_UNKNOWN = 200
"""Keys that the model does not know, in the whole of an input."""
MOST_ENTRIES = 30_000
"""Entries of all lists together; 999 lines with the 16 codes that the guides allow each have half of that."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an object of the model may hold."""

    keys: frozenset[str]
    lists: Mapping[str, tuple[int | None, _Shape | None]]
    """Most entries, and the shape of each."""
    objects: Mapping[str, _Shape]


@dataclass(slots=True)
class _Count:
    unknown: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)


def too_long(data: object, model: Hashable) -> list[Problem]:
    """The lists in decoded JSON that are longer than the model allows, or that there is too much of them or of unknown
    keys altogether."""
    count = _Count()
    _walk(data, _shape(model), "", count)
    return count.problems


def without_empty(data: Any, model: Hashable) -> Any:
    """The input without single values of the model that are "", which exports write for what is absent; itself where
    there is none. A key that the model does not know stays, to be refused."""
    return _filled(data, _shape(model))


def _filled(data: Any, shape: _Shape) -> Any:
    if not isinstance(data, dict):
        return data
    single = shape.keys - shape.lists.keys() - shape.objects.keys()
    kept = {key: value for key, value in data.items() if not (value == "" and key in single)}
    changed = len(kept) < len(data)
    parts = [(name, part) for name, part in shape.objects.items() if isinstance(kept.get(name), dict)]
    for name, part in parts:
        inner = _filled(kept[name], part)
        changed |= inner is not kept[name]
        kept[name] = inner
    for name, (_, item) in shape.lists.items():
        if item and isinstance(rows := kept.get(name), list | tuple):
            inner = [_filled(one, item) for one in rows]
            changed |= any(new is not old for new, old in zip(inner, rows, strict=True))
            kept[name] = inner
    return kept if changed else data


def _walk(data: object, shape: _Shape, path: str, count: _Count) -> None:
    if not isinstance(data, dict) or count.unknown > MOST_UNKNOWN or count.entries > MOST_ENTRIES:
        return
    count.unknown += len(data.keys() - shape.keys)
    if count.unknown > MOST_UNKNOWN:
        sentence = f"more than {MOST_UNKNOWN} unknown keys; see the JSON Schema for the keys there are"
        count.problems.append(Problem(path, sentence, path))
        return
    for name, (most, inner) in shape.lists.items():
        value, place = data.get(name), f"{path}.{name}" if path else name
        if not isinstance(value, list | tuple):
            continue
        if most is not None and len(value) > most:
            count.problems.append(Problem(place, f"expected at most {most} entries", place))
            continue
        count.entries += len(value)
        if count.entries > MOST_ENTRIES:
            sentence = f"expected at most {MOST_ENTRIES} entries in all lists together; they are passed here"
            count.problems.append(Problem(place, sentence, place))
            return
        if inner:
            for number, one in enumerate(value):
                _walk(one, inner, f"{place}[{number}]", count)
    for name, part in shape.objects.items():
        _walk(data.get(name), part, f"{path}.{name}" if path else name, count)


@cache
def _shape(model: Hashable) -> _Shape:
    part = cast(Any, model)
    hints = get_type_hints(part, include_extras=True)
    lists: dict[str, tuple[int | None, _Shape | None]] = {}
    objects: dict[str, _Shape] = {}
    for one in fields(part):
        most, kind = _bare(hints[one.name])
        if get_origin(kind) is tuple:
            item = _bare(get_args(kind)[0])[1]
            lists[one.name] = (most, _shape(cast(Hashable, item)) if is_dataclass(item) else None)
        elif is_dataclass(kind):
            objects[one.name] = _shape(cast(Hashable, kind))
    return _Shape(frozenset(hints), lists, objects)


def _bare(hint: Any) -> tuple[int | None, Any]:
    """The greatest length that annotations name, and the type without them and without None."""
    most: int | None = None
    while True:
        origin, parts = get_origin(hint), get_args(hint)
        if origin is Annotated:
            lengths = [
                found
                for part in parts[1:]
                for note in (part, *getattr(part, "metadata", ()))
                if isinstance(found := getattr(note, "max_length", None), int)
            ]
            hint, most = parts[0], min([*lengths, *([most] if most is not None else [])], default=None)
        elif origin in (Union, UnionType) and len(others := [part for part in parts if part is not NoneType]) == 1:
            hint = others[0]
        else:
            return most, hint
