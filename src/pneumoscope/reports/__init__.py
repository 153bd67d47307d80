"""Write readings for others: JSON lines, CSV, overlays, a self-contained page."""
