"""Carrying out a plan: slabs in, blocks out, files that are whole or not there."""
