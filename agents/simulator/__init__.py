"""A believable live-commerce world: made from a seed, told as records, sent or written.

Start at ``world.py``. People and hosts are little processes (``visit.py``, ``shopping.py``,
``host.py``) that take turns on a ``Stage``; ``delivery.py`` then makes some of what they say
late, doubled or broken, and counts it.
"""
