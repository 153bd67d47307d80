"""Mutated inputs for every parser: see `tests.fuzz.run`."""
