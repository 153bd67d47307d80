"""Turn a classifier into a bundle, and prove that scores and maps are the same. Needs PyTorch; import `export.graph`."""
