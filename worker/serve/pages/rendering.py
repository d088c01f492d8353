"""Writes view models as HTML: everything is escaped, and what cannot be shown is shown by its number."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rules.printable import printable

STATIC = {
    "desk.css": "text/css; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "desk.svg": "image/svg+xml",
}


def _safe(value: Any) -> Any:
    """No sign turns the writing around or hides: what a sender put into a field is shown by its number."""
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "\n".join(printable(line.replace("\t", "    ")) for line in value.split("\n"))


@cache
def environment() -> Environment:
    """The templates, with automatic escaping; a name that is not there is an error."""
    found = Environment(
        loader=PackageLoader("worker.serve.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_safe, auto_reload=False,
    )  # fmt: skip
    found.globals["static"] = static
    return found


def html(template: str, **values: Any) -> str:
    """A page."""
    return environment().get_template(template).render(values)


@cache
def content(name: str) -> bytes:
    """Of a static file."""
    return files("worker.serve.pages").joinpath("static", name).read_bytes()


@cache
def static(name: str) -> str:
    """The address of a static file, which changes with its content, so that a browser may keep it."""
    return f"/static/{name}?{hashlib.sha256(content(name)).hexdigest()[:12]}"
