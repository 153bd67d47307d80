"""Tests of the engine under ``pneumoscope read``: any number of files into one output folder."""
