"""The stages of a run: each reads what the one before wrote, and writes its own files whole."""
