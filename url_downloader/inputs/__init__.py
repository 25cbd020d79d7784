"""The lines of a list: entries with their options, and the fast copying of plain URLs.

Entry points: `list_entry.ListEntry` for `input_parser`, and `list_skimmer.ListSkimmer`. Each
module is pure. This package must not import `engine`, or any other package that acts on jobs.
"""
