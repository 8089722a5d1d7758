"""How livepulse runs: image, compose, Kubernetes, Prometheus, Grafana, local Kafka."""
