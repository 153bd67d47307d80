"""Several backbones under the same conditions, trained, measured and compared. Needs PyTorch to train."""
