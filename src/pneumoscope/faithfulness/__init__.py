"""Tests of whether the score follows the heat map."""
