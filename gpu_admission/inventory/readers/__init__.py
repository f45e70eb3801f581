"""One reader for each format in which backends record the holders of cards.

A reader makes a node's pools from the records of the backend's components on nodes, and adds the holdings recorded on
pods. Facts about a backend (its names, its units) come from the backend.
"""
