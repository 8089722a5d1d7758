"""`livepulse demo`: broker, Redis, worker and simulated viewers on this machine, and a view of it.

Start at ``run.py``. ``stack.py`` starts the processes, ``load.py`` sends, ``observer.py`` reads
what the worker publishes, ``scrape.py`` what it counts; ``screen.py`` and ``report.py`` show it.
"""
