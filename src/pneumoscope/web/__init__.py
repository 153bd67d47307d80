"""Let people in: the viewer in the browser and its HTTP API, DICOMweb, and the offline reader for phones."""
