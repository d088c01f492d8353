"""The rules on a claim's own amounts, dates and identifiers, as one function: most claims satisfy all of them.

Asked one by one, a dozen rules cost a dozen calls, and as many look-ups of facts that are first found missing. Plans of
many shapes have the same rules and share their function: claims of the bench have some eighty.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from rules.case import Case
from rules.engine.active import Scope, ScopedRules
from rules.facts.registry import DERIVED, DERIVED_OF_LINES

AllQuiet = Callable[[Sequence[Case], Sequence[Sequence[Mapping[str, Any]]]], bool]
"""Whether none of the rules has anything to say, by the claim as each layer sees it and by what its shape gives.

Raises what a fact or a rule raises, and KeyError for a fact that the shape should give and does not."""


@lru_cache(maxsize=512)
def fused(rules: ScopedRules, unshared: frozenset[str]) -> AllQuiet | None:
    """`unshared`: the facts that the shape does not give. None: one of the rules looks at more than facts."""
    names = _Names(unshared)
    tests: list[ast.stmt] = []
    for scope, one in rules:
        names.enter(scope, one.version.quiet_constants)
        quiet = names.visit(ast.parse(one.version.quiet_text, mode="eval").body)
        tests.append(ast.If(ast.UnaryOp(ast.Not(), quiet), [ast.Return(ast.Constant(False))], []))
    if names.looks_further:
        return None
    module = ast.parse("def all_quiet(cases, known): return True")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [*names.derivations(), *tests, *function.body]
    code = compile(ast.fix_missing_locations(module), "<rules>", "exec")
    exec(code, names.constants)  # noqa: S102  the text is ours, as in rules/book/logic.py
    all_quiet: AllQuiet = names.constants["all_quiet"]
    return all_quiet


class _Names(ast.NodeTransformer):
    """Has the conditions of several rules read facts `f[name]` and constants by the names of one function."""

    def __init__(self, unshared: frozenset[str]) -> None:
        self.constants: dict[str, Any] = {"of_claim": DERIVED, "of_line": DERIVED_OF_LINES}
        self.looks_further = False
        """Whether a condition hands the facts on as a whole."""
        self._unshared = unshared
        self._variables: dict[tuple[Scope, str], str] = {}
        self._scope, self._renamed = (0, 0), dict[str, str]()

    def enter(self, scope: Scope, constants: Mapping[str, Any]) -> None:
        """The condition that comes next is of this scope and has these constants."""
        self._scope, known = scope, len(self.constants)
        self._renamed = {name: f"K{place}" for place, name in enumerate(constants, known)}
        self.constants |= {self._renamed[name]: value for name, value in constants.items()}

    def derivations(self) -> list[ast.stmt]:
        """Derives each fact once, whatever number of rules read it."""
        text = [
            f"{variable} = of_line[{name!r}](cases[{layer}], cases[{layer}].lines[{number - 1}])" if number
            else f"{variable} = of_claim[{name!r}](cases[{layer}])"
            for ((layer, number), name), variable in self._variables.items()
        ]  # fmt: skip
        return ast.parse("\n".join(text)).body

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match node:
            case ast.Subscript(ast.Name("f"), ast.Constant(str(name))) if name in self._unshared:
                scope = self._scope if name in DERIVED_OF_LINES else (self._scope[0], 0)
                variable = self._variables.setdefault((scope, name), f"v{len(self._variables)}")
                return ast.Name(variable, ast.Load())
            case ast.Subscript(ast.Name("f"), ast.Constant(str())):
                known: ast.expr = ast.Name("known", ast.Load())
                for place in self._scope:
                    known = ast.Subscript(known, ast.Constant(place), ast.Load())
                node.value = known
                return node
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        self.looks_further |= node.id == "f"
        return ast.Name(self._renamed.get(node.id, node.id), node.ctx)
