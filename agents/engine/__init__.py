"""The worker: Faust's lane, the tasks, and the one transaction of a commit."""
