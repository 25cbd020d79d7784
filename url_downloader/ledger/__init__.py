"""The ledger: what the output directory knows about its files and URLs, in an SQLite file.

Entry point: `ledger.Ledger`. This package must not import `storage` or `engine`: files are
published first, and recorded afterwards.
"""
