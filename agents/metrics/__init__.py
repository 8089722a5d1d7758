"""What a process says of itself: meters, what Prometheus reads of them, health."""
