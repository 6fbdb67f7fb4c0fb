"""Vector search beside its peers: recall, latency, memory, disk, ingest, filters, adds."""
