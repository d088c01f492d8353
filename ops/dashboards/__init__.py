"""The Grafana dashboards, generated: `python -m ops.dashboards`; `--check` fails where a file is stale."""
