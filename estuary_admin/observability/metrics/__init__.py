"""What a monitor may ask: numbers of this machine's processes, in Prometheus' format."""
