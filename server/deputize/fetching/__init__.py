"""What strangers point to, fetched without being led inside, and the clients that are found there."""
