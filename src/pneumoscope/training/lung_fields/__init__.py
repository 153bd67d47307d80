"""Train the network that finds lung fields, on radiographs with lung masks. Needs PyTorch."""
