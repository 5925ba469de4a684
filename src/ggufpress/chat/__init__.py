"""What a chat template makes of a conversation, and the same for runtimes that do not read Jinja."""
