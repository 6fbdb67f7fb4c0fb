"""The use cases of conditioning: what a generator listens to, and how usual a content is."""
