"""WHAT FLOWS: the records, their bytes, their published contract. Imports nothing of ours.

session: one live broadcast, from start to end. viewer: one person, a stable pseudonymous id.
visit: one viewer's stay in one session. event: a fact that came in. event time: when it
happened. pane: 10 s of event time. watermark: no older event is expected. trigger: a decision
that we publish. task: the owner of one partition of every input topic.
"""
