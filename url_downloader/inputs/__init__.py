"""Lines of a list: the entry that they make up, and fast copying of plain ones. Pure.

Entry points: `list_entry.Entry` and `list_skimmer.ListSkimmer`, both for `input_parser`. This
package must not import `engine` or any other package that acts on jobs.
"""
