"""Send results: C-STORE, STOW-RS, storage commitment, and what to do when a destination does not take them."""
