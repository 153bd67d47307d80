"""Figures with their intervals, paired tests and free-response curves, on arrays alone. Imports no other folder."""
