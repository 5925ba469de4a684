"""The `general.*` keys: what the model is called, whose it is, what it is made from."""
