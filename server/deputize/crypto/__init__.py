"""Keys, signatures and their formats: the cryptography behind the ports."""
