"""The Hugging Face Hub: repositories as sources. huggingface_hub is imported only when one is asked for."""
