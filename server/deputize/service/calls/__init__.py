"""The way of one call, from a page or over MCP (PROTOCOL §5 to §7, §15). Each function is one transaction, or reads one
snapshot; refusals in a transaction are values.

A `CallRequest` says who calls what; its `Way` is all that pages and MCP differ by. `arrivals` has it decided
(`decisions`) by what `standing` has read, and `meeting` finds an equal one. `approving` has challenges and approvals,
`redemptions` lets it run once and notes what became of it, `endings` calls it off, and `successions` puts it under a
newer grant. The use cases return `answers`: all that is told, so that nobody reads again.
"""
