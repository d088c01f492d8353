"""The report: audit lines in, one page out that needs no network. `load` reads, `figures` counts, `page` shows."""
