"""`livepulse screen`: the live page of a host, served from the views in Redis.

Start at ``server.py``. ``hub.py`` builds a snapshot for every session that somebody watches,
``source.py`` reads it from Redis, ``stream.py`` sends it on, ``api.py`` answers single requests,
``tokens.py`` says who may see what. Nothing here is known to the workers.
"""
