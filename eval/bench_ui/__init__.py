"""`make bench-ui`: what the served chat does for one person, for fifty at once, and for a queue at the local model.

People are played over the page's own protocol, a session for each, as a browser speaks it.
"""
