"""WHO DOES IT: everything that holds a socket or reads the environment.

Importing a module of this package starts nothing and connects to nothing.
"""
