"""Rules, their conditions, sources and overrides, under one version and one digest."""
