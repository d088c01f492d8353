"""Known vulnerabilities of the packages that we ship: pip-audit over the lock file, with a plain verdict.

pip-audit counts a package that it could not look up as no finding; here it is one of its own, so that a machine
without network does not read as a clean bill. Exit codes: 0 all were looked up and none is vulnerable, 1 some are,
2 some could not be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"


def verdict(report: Mapping[str, Any]) -> tuple[int, Iterator[str]]:
    """The exit code and the sentences for a report of pip-audit."""
    packages = report["dependencies"]
    unknown = sorted(package["name"] for package in packages if "skip_reason" in package)
    vulnerable = [(package, one) for package in packages for one in package.get("vulns", ())]

    def sentences() -> Iterator[str]:
        for package, one in vulnerable:
            fixed = f"fixed in {', '.join(one['fix_versions'])}" if one["fix_versions"] else "not fixed yet"
            yield f"{package['name']} {package['version']}: {one['id']}, {fixed}"
        if unknown:
            yield f"{len(unknown)} of {len(packages)} packages could not be looked up; is there a way to pypi.org?"
        elif not vulnerable:
            yield f"{len(packages)} packages, none with a known vulnerability."

    return (1 if vulnerable else 2 if unknown else 0), sentences()


def main() -> int:
    """Runs it on the lock file."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--requirement", str(LOCK)]
    done = subprocess.run([*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, check=False)
    try:
        code, sentences = verdict(json.loads(done.stdout))
    except (json.JSONDecodeError, KeyError):
        sys.stderr.write(f"The advisories could not be asked for: {done.stderr.decode().strip().splitlines()[-1:]}\n")
        return 2
    sys.stdout.writelines(f"{sentence}\n" for sentence in sentences)
    return code


if __name__ == "__main__":
    sys.exit(main())
