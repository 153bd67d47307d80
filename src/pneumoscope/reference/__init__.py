"""Reference regions of radiologists: boxes and masks on the grid of a radiograph."""
