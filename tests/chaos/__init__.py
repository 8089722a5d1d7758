"""Faults on a real cluster, and an oracle that says what must be true after each of them."""
