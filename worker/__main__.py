"""`python -m worker` is `scrub`."""

from worker.cli import main

main()
