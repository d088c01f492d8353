"""Rules, their conditions, sources and overrides, under one version and one digest.

`rulefile` is the shape of the YAML files, `compile` makes a `rule` of one, `conditions` has the tests that a rule may
use, `overrides` applies what a hospital decides otherwise, `pack` makes a book one file. `rules.loader` reads books.
"""
