"""A repository that others can use: names, model card, what Ollama needs, and the way there."""
