"""WHAT HAPPENS: pure functions over plain state. No I/O, no clock, no async, no dice.

Start at ``streams/pipeline.py``: it names every stage in the order in which data passes.
"""
