"""Export classifiers and lung-field networks as ONNX graphs, and verify the graphs against PyTorch; needs PyTorch."""
