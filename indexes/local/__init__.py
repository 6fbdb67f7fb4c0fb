"""Collections in a folder: the truth and what is derived from it, changed and read together."""
