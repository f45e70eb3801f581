"""Rules as policies that the API server itself evaluates, without a webhook.

Here are only the CEL, the ID and the message of a rule; what it reads (names of resources, variables, paths, the
policy's settings) comes from the same tables as for its Python. ``coverage`` has the extent of each rule's enforcement.
"""
