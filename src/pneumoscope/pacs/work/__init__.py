"""Read the received images and write the results."""
