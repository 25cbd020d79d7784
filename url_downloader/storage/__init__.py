"""The output directory: part files, publishing, free space, existing files.

Entry point: `output_directory.OutputDirectory`. An error of the system becomes an AttemptError.
This package must not import `attempt`, `engine` or `network`.
"""
