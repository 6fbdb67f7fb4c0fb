"""Listens and connects: REST and gRPC over one engine, and the command line."""
