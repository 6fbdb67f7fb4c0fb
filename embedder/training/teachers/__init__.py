"""The frozen networks that kindred-mini learns from, as float32 torch modules."""
