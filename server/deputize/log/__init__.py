"""What whoever runs it reads: log lines, and counters."""
