"""Render readings as CSV tables, overlay images and self-contained HTML pages."""
