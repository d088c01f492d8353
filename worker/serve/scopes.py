"""What a token or a person may do."""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["check", "submit", "read", "work", "waive", "admin"]
"""check: have claims judged; submit: put claims on the queue; read: see cases and claims; work: pend, assign, note,
close, reopen; waive: let a held claim go; admin: see figures and what concerns all facilities."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
