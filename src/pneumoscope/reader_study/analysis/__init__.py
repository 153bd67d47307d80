"""Analyse the table of a reader study: design, figures of merit, inference, report, size of the next study."""
