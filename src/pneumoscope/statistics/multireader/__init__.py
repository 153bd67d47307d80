"""Multi-reader multi-case (MRMC) statistics: several readers rate cases in one or more modalities.

Arrays alone. Random are, by choice, readers and cases, cases alone, or readers alone.
"""
