"""The way of one call, from a page or over MCP (PROTOCOL §5 to §7, §15). Each function is one transaction, or reads one
snapshot; refusals in a transaction are values.

A `CallRequest` says who calls what; pages and MCP differ by its `Way` alone. `arrivals` takes it in: `decisions`
decides, by what `standing` has read, and `meeting` finds an equal call. `approving` has challenges and approvals,
`redemptions` lets it run once and notes the outcome, `endings` calls it off, and `successions` puts it under a newer
grant. `answers` are what all of these return.
"""
