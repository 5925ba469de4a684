"""The families: one page of data each, from a config to the frozen description."""
