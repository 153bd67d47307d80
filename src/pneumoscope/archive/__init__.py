"""Any number of radiographs to readings."""
