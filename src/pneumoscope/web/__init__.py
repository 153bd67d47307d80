"""Let people in: the viewer, its HTTP API, and the offline reader for phones."""
