"""Quantization: the tensor types and the native kernels behind one NumPy face."""
