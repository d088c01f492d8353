"""The fault suite: `make faults`, or `python -m tests.faults --only children --seed 7`.

Each scenario breaks something again and again under real workers and a real server, and ends in the same audit of the
books. Exit codes: 0 all are sound, 1 one is not, 2 bad usage.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import availability, clocks, flood, hostile, layouts, outputs, turning  # noqa: F401  enter their scenarios
from .reckoning import Reckoning
from .scenarios import SCENARIOS, NotHere, Scenario
from .stage import Stage, stage

_LONGEST = 1500
_HEAD = ("scenario", "claims", "events", "faults", "in hand", "lost", "twice", "wrong", "seconds", "seed")


def run(scenario: Scenario, seed: int, claims: int, faults: int) -> dict[str, Any]:
    """Plays one scenario, and answers its row of the table."""
    started = time.monotonic()
    row: dict[str, Any] = {"scenario": scenario.name, "what": scenario.sentence, "claims": claims, "seed": seed}
    with stage(seed, claims, faults) as found:
        try:
            with _at_most(_LONGEST):
                reckoning: Reckoning | None = scenario.play(found)
        except NotHere as error:
            return {**row, "state": "not run", "notes": [str(error)]}
        except Exception as error:  # noqa: BLE001 - the suite goes on with the next scenario
            row["error"] = f"{type(error).__name__}: {error}"
            row["logs"] = _logs(found)
            reckoning = None
        row |= {"faults": found.struck, "in hand": found.in_hand, "notes": found.notes}
        row["seconds"] = round(time.monotonic() - started)
        if reckoning is None:
            return {**row, "state": "broken"}
        row |= {"events": reckoning.events, "lost": len(reckoning.lost), "twice": len(reckoning.twice)}
        row |= {"wrong": len(reckoning.wrong), "wrongs": reckoning.wrong}
        tolerated = scenario.may_lose and not (reckoning.twice or reckoning.wrong)
        row["state"] = "sound" if reckoning.sound else "shown" if tolerated else "broken"
        if row["state"] == "broken":
            row["lost events"], row["twice events"] = reckoning.lost[:20], reckoning.twice[:20]
            row["logs"] = _logs(found)
        return row


def _logs(found: Stage) -> list[str]:
    return [worker.text()[-1500:] for worker in found.workers[:2]]


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """The suite stops by itself, whatever hangs."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join((*_HEAD, "state")) + " |", "|" + "---|" * (len(_HEAD) + 1)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in (*_HEAD, "state")) + " |" for row in rows]
    notes = [
        f"* {row['scenario']}: {row['what']} {' '.join(f'({note})' for note in row.get('notes', ()))}" for row in rows
    ]
    return "\n".join([*lines, "", *notes, ""])


def main() -> int:
    """Runs the chosen scenarios, one after another."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--only", nargs="+", choices=sorted(SCENARIOS), metavar="SCENARIO", help="default: all")
    parser.add_argument("--claims", type=int, default=20_000, help="a scenario (default: %(default)s)")
    parser.add_argument("--faults", type=int, help="a scenario; default: as many as each is made for")
    parser.add_argument("--seed", type=int, help="repeats a run; default: another one each time")
    parser.add_argument("--out", type=Path, default=Path("run/faults"), help="folder of faults.json and faults.md")
    parser.add_argument("--list", action="store_true", help="says what there is, and ends")
    options = parser.parse_args()
    if options.list:
        for one in SCENARIOS.values():
            print(f"{one.name:10} {one.faults:4} faults  {one.sentence}")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    for name in options.only or SCENARIOS:
        scenario, seed = SCENARIOS[name], options.seed if options.seed is not None else secrets.randbelow(10**6)
        faults = options.faults or scenario.faults
        print(f"{name} (seed {seed}): {scenario.sentence}", flush=True)
        row = run(scenario, seed, options.claims, faults)
        rows.append(row)
        print("  " + ", ".join(f"{key} {row[key]}" for key in (*_HEAD[1:-1], "state") if key in row), flush=True)
        for note in row.get("notes", ()):
            print(f"  {note}", flush=True)
        if row["state"] == "broken":
            again = f"--only {name} --seed {seed} --claims {options.claims} --faults {faults}"
            for sentence in (row.get("error"), *row.get("wrongs", ()), *row.get("logs", ())):
                if sentence:
                    print(f"  {sentence}", flush=True)
            print(f"  repeat it: python -m tests.faults {again}", flush=True)
        (options.out / "faults.json").write_text(json.dumps(rows, indent=1), "utf-8")
        (options.out / "faults.md").write_text(table(rows), "utf-8")
    print("\n" + table(rows))
    return int(any(row["state"] == "broken" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
