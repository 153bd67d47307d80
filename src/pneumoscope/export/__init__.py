"""Turn a classifier into a bundle, and prove that its answers are the same. Needs PyTorch; import `export.graph`."""
