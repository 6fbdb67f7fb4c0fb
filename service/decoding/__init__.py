"""Decodes what strangers send in processes that may die of it.

pool    the processes, as those who have something to decode see them
worker  what runs in such a process: it imports the decoders, and nothing else of ours
tracks  sound tracks, copied in one
wire    what the two say to each other
"""
