"""Tests of whether a score follows its heat map."""
