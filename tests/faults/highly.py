"""Sentinel, TLS, Cluster."""
