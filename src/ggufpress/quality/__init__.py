"""What quantization cost: perplexity, and how far the probabilities are from those of a reference.

The figures are those of llama.cpp's llama-perplexity, without its file of all probabilities: reference and candidates run
side by side, chunk by chunk.
"""
