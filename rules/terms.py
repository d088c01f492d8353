"""The closed lists of words that rule files, findings and commands share. Imports nothing, so that a command line that
offers them as choices starts at once.
"""

from __future__ import annotations

from typing import Literal, get_args

Severity = Literal["block", "warn", "note"]
Grade = Literal["A", "B", "C", "S"]
RuleScope = Literal["line", "claim"]
RuleStatus = Literal["draft", "active", "retired"]
Cadence = Literal["quarterly", "yearly", "fiscal_yearly"]
"""How often a publisher brings out a new edition: by quarter, calendar year, or fiscal year (to September 30)."""

COMMON = "common"
"""Folder of the rules for several payers."""
FORM, EDITS = LAYERS = ("form", "edits")
"""The layers of rules that are of no procedure, by the folders of their rules: what a claim form must have, and the
code pairs and unit limits of all lines."""
OVERRIDES = "overrides"
"""Where a hospital's overrides that are rules themselves stand: they speak of the claim as a whole."""
PROCEDURES = "procedures"
"""Folder of the packages, one a procedure, each a layer."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first."""
