"""`/mcp`: tools over the Model Context Protocol, approved as SEP-2672 has it (PROTOCOL §15)."""
