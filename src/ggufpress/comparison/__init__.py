"""Two files, or a file and its source, side by side: keys, tensors, types, and what lies between their weights."""
