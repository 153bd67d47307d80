"""Bounds that keep a hostile file from exhausting the machine."""

MAX_PIXELS = 40_000_000
"""The largest detectors have about 20 million pixels; a header that declares more than twice that is no radiograph."""

MAX_INFLATED_BYTES = 2 * MAX_PIXELS + 2**26
"""Two bytes a pixel and 64 MiB of header, for a data set that is deflated whole."""

MAX_FILE_BYTES = MAX_INFLATED_BYTES
"""The largest file that is opened."""

MAX_ITEMS = 100_000
"""Most sequence items of a DICOM data set; those of radiographs have a few hundred."""
