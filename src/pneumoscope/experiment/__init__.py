"""Resumable training and measurement of many backbones under the same conditions."""
