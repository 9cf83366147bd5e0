"""OAuth for attested agents, and renewal for all (PROTOCOL §11, §13, §16): standard parameters, standard errors."""
