"""One reader for each way in which backends write down who has which card.

A reader makes a node's pools from what the backend's own components write on nodes, and puts onto them what they write
on pods. Where a fact about a backend is needed (its names, its units), it comes from the backend.
"""
