"""The filter language: JSON to a typed tree, and what the tree means."""
