"""Rules as policies that the API server itself evaluates: no webhook, no server.

A rule's CEL stands here beside nothing but its ID and its message; what it reads (names of resources, variables, paths,
the policy's settings) comes from the same tables that its Python reads. ``coverage`` says of every rule how much of it
is enforced so.
"""
