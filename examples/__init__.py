"""Scripts to learn from."""
