"""Importance matrices: how much each input column of a weight matters, as llama-imatrix measured it."""
