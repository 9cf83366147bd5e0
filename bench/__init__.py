"""Speed, measured against what this machine could do at best.

`make bench` measures us alone. `make bench-peers SEP=folder` runs us beside node-oidc-provider with a durable store and
SEP-2672's own server, with one client and in one run: what that takes stands in `peers/suite.py`.
"""
