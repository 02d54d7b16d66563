"""What is not on the hot path of a running proxy: start, admin port, drain."""
