"""The alerts for Loki's ruler and for Prometheus, generated: `python -m ops.alerts`; `--check` fails at stale files."""
