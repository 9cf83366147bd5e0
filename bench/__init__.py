"""Speed, measured against what this machine could do at best."""
