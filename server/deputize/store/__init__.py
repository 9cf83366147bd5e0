"""SQL behind `service.ports.Store`: the rows of users, agents, grants, calls and the record."""
