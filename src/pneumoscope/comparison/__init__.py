"""What came out of an experiment: paired tests, tables, pictures and the report."""

from pneumoscope.comparison.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
