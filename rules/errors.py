"""Every error of the functional core. The docstring of a type is its message; `{}` names are filled in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.printable import printable

MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError
)  # fmt: skip
"""What code raises by a mistake of its own. All else comes from outside, such as a time limit, and says nothing of the
rule in which it struck."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where, and what in one sentence.

    `path` may hold an unknown key of the input, which may hold patient data; `safe_path` never does and is
    the one that may reach a log.
    """

    path: str
    sentence: str
    safe_path: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


def _shown(value: object) -> str:
    """Whatever an error names comes from outside: it stays on its line, and steers no terminal."""
    return printable(str(value))


class ScrubError(Exception):
    """Something went wrong."""

    def __init__(self, **values: object) -> None:
        self.values = values
        shown = {name: value if isinstance(value, int | float) else _shown(value) for name, value in values.items()}
        # From Python 3.13 on the lines of a docstring have no indents (python/cpython#81283).
        super().__init__(" ".join((self.__doc__ or "").split("\n\n")[0].split()).format(**shown))


class ClaimInvalid(ScrubError):
    """This is not a readable claim: {count} problem(s), the first at {first}."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(count=len(self.problems), first=self.problems[0])


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One thing that is wrong with a file of the library: `file:line:col: path: sentence`."""

    file: str
    line: int
    column: int
    path: str
    sentence: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.sentence}" if self.path else f"{where}: {self.sentence}"


class BookInvalid(ScrubError):
    """The rule book cannot be used: {count} problem(s). Mend them and load again; `scrub rules lint` lists them.

    {listing}
    """

    def __init__(self, problems: Iterable[RuleProblem]) -> None:
        self.problems = tuple(sorted(problems, key=_place))
        super().__init__(count=len(self.problems), listing="")

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(_shown, self.problems)])


def _place(problem: RuleProblem) -> tuple[bool, str, int, int]:
    """Rule files, in the folder of their procedure, after what they rest on: its faults make faults in them."""
    return problem.file.partition("/")[0].isdecimal(), problem.file, problem.line, problem.column


class CorpusInvalid(BookInvalid):
    """The corpus cannot be read: {count} problem(s).

    {listing}
    """


class OverridesInvalid(BookInvalid):
    """The overrides cannot be used: {count} problem(s). Mend them and load again; `scrub rules overrides` lists them.

    {listing}
    """


class BookMissing(ScrubError):
    """There is no rule book in {folder}: expected a folder with book.yaml, sources.yaml and payers/, or a packed
    book.
    """


class PackInvalid(ScrubError):
    """{file} is no packed book: {reason}. Expected a file that `scrub rules pack` wrote."""


class NothingSuggested(ScrubError):
    """Nothing is suggested for claim {claim}: no rule that holds it knows a way out that the claim alone shows. What
    each finding asks for stands under `fix`; it is made in the host system.
    """


class SuggestionUnknown(ScrubError):
    """There is no suggestion {key} for this claim. Expected one of {known}."""


class ChangesContradict(ScrubError):
    """The suggestions {keys} cannot all be made: {reason}. Nothing was tried; name those that are meant with --fix."""


def first_problem(error: ScrubError) -> str:
    """The first problem that an error lists, with its file and line; where it lists none, its sentence."""
    return str(error).split("\n", 2)[:2][-1]
