"""Reader studies: a frozen protocol, worklists, sessions, and answers in an append-only journal.

No model is imported here: what a human reader may see is held by `visible`, and the bytes of an aid by `room`.
"""
