"""The alerts for Loki's ruler, generated: `python -m ops.alerts`; `--check` fails where the file is stale."""
