"""Tests of the service, with the real engine, a tiny embedder and real collections."""
