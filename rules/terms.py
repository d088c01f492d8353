"""The closed lists of words that rule files, findings and commands share. Imports nothing, so that a command line that
offers them as choices starts at once.
"""

from __future__ import annotations

from typing import Literal, get_args

Severity = Literal["block", "warn", "note"]
Grade = Literal["A", "B", "C", "S"]
RuleScope = Literal["line", "claim"]
RuleStatus = Literal["draft", "active", "retired"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first."""
