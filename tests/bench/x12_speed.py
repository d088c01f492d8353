"""Claims a second of the 837 reader beside other readers in the same run, and its memory on a file of 200,000 claims.

    python -m tests.bench.x12_speed [RUNS]

Each reader gets the same generated 837P with 2,000 claims; the readers take turns, and the median of their runs is
printed. The project's figure includes the validated claim model; x12sdk's and pyx12's are their own objects.
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median

import pyx12.error_handler
import pyx12.params
import pyx12.x12context
import pyx12.x12file
from x12sdk.generate import generate_837p
from x12sdk.io import X12ModelReader

from tests.x12.oracles import relabeled
from worker.intake.document import Document
from worker.intake.x12 import read_x12
from worker.intake.x12.syntax import SyntaxCheck

CLAIMS = 2_000
FORMS = Path(__file__).parents[1] / "x12" / "form"
LARGE = 200_000
LIMIT = 2**20
PEAK = """
import re, sys, time
from worker.intake.documents import Document, read_documents
start, read, refused = time.perf_counter(), 0, 0
with open(sys.argv[1], "rb") as stream:
    for found in read_documents(sys.argv[1], stream):
        if isinstance(found, Document):
            read += 1
        else:
            refused += 1
rate = read / (time.perf_counter() - start)
with open("/proc/self/status") as status:
    most = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024
print(f"{read:,} read, {refused} refusals, {rate:,.0f} claims/s, peak resident {most:.1f} MiB")
"""
"""A process with the reader alone, since the other readers take much memory themselves; VmHWM is its own peak alone,
where getrusage would answer with that of the process that started it, if higher. Linux only."""


def ours(raw: str) -> int:
    return sum(isinstance(found, Document) for found in read_x12("f", io.BytesIO(raw.encode()), limit=LIMIT))


def split(raw: str) -> int:
    return sum(segment.lstrip().split("*")[0] == "CLM" for segment in raw.split("~"))


def pyx12_segments(raw: str) -> int:
    return sum(segment.get_seg_id() == "CLM" for segment in pyx12.x12file.X12Reader(io.StringIO(raw)))


def pyx12_context(raw: str) -> int:
    param, errors = pyx12.params.ParamsBase(), pyx12.error_handler.errh_null()
    reader = pyx12.x12context.X12ContextReader(param, errors, io.StringIO(relabeled(raw)))
    return sum(node.seg_data.get_seg_id() == "CLM" for node in reader.iter_segments())


def x12sdk_models(raw: str) -> int:
    with X12ModelReader(raw) as reader:
        return sum(1 for model in reader.models() for _ in model.claims())


def copies(file: Path) -> str:
    """A file of one claim so many times, as interchanges of their own."""
    return file.read_text() * CLAIMS


FILES = {
    "generated 837P": generate_837p(seed=7, claims=CLAIMS),
    "a clean 837P": copies(FORMS / "base_p.837"),
    "a clean 837I": copies(FORMS / "clean_i.837"),
    "an 837P without a street": copies(FORMS / "P_63_no_n3.837"),
}
"""Clean files take the short way through the patterns, one with a fault the long one where it is."""
READERS: dict[str, tuple[Callable[[str], int], int]] = {
    # with how much of the runs each takes part in: the slow ones in every third
    "claim-scrubber, validated claims": (ours, 1),
    "plain split (the floor)": (split, 1),
    "pyx12 segments": (pyx12_segments, 1),
    "pyx12 context reader": (pyx12_context, 3),
    "x12sdk typed models": (x12sdk_models, 3),
}


def speeds(runs: int) -> None:
    raw = generate_837p(seed=7, claims=CLAIMS)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
    for run in range(runs):
        for name, (read, every) in READERS.items():
            if run % every:
                continue
            start, worked = time.perf_counter(), time.process_time()
            count = read(raw)
            times[name].append((time.perf_counter() - start, time.process_time() - worked))
            assert count == CLAIMS, (name, count)
    print(f"837P, {CLAIMS:,} claims, {len(raw):,} bytes, one process, median of runs")
    print(f"  {'':34} {'claims/s':>9}  {'range':>18}  {'per CPU second':>14}  runs")
    for name, taken in times.items():
        rates = sorted(CLAIMS / seconds for seconds, _ in taken)
        worked = median(CLAIMS / seconds for _, seconds in taken)
        extent = f"{rates[0]:,.0f} to {rates[-1]:,.0f}"
        print(f"  {name:34} {median(rates):>9,.0f}  {extent:>18}  {worked:>14,.0f}  {len(rates):>4}")


@contextmanager
def unjudged() -> Iterator[None]:
    """Reads on, and judges no syntax."""
    judge = SyntaxCheck._judge
    SyntaxCheck._judge = lambda *_: []  # type: ignore[method-assign]
    try:
        yield
    finally:
        SyntaxCheck._judge = judge  # type: ignore[method-assign]


def syntax(runs: int) -> None:
    """What the layer of syntax costs: reading with it, and with its judgment left out, by turns, in CPU time."""
    print("the layer of syntax, CPU a claim, median of runs by turns")
    for name, raw in FILES.items():
        taken: dict[bool, list[float]] = {True: [], False: []}
        ours(raw)
        for _ in range(runs):
            for judged in (True, False):
                with nullcontext() if judged else unjudged():
                    worked = time.process_time()
                    count = ours(raw)
                    taken[judged].append((time.process_time() - worked) / count * 1e6)
        whole, less = median(taken[True]), median(taken[False])
        share = (whole - less) / whole
        print(f"  {name:34} {whole:5.0f} us, without {less:5.0f} us: {whole - less:4.0f} us ({share:.0%} of reading)")


def large(file: Path, claims: int) -> None:
    """A file of so many claims, written block by block."""
    raw = generate_837p(seed=7, claims=CLAIMS)
    head, rest = raw[: (first := raw.index("HL*2*1*"))], raw[first:]
    body, tail = rest[: (end := rest.index("SE*"))], rest[end:]
    segments = (head + body).count("~") - 2 + (claims // CLAIMS - 1) * body.count("~") + 1
    with file.open("w") as out:
        out.write(head)
        for _ in range(claims // CLAIMS):
            out.write(body)
        out.write(tail.replace(tail.split("*")[1], str(segments), 1))


def memory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for claims in (CLAIMS, LARGE):
            file = Path(folder) / f"{claims}.837"
            large(file, claims)
            command = [sys.executable, "-c", PEAK, str(file)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            print(f"  {claims:>7,} claims, {file.stat().st_size / 2**20:6.1f} MiB: {answer.strip()}")


if __name__ == "__main__":
    logging.disable()
    speeds(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
    syntax(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
    print("memory of one process that reads a file")
    memory()
