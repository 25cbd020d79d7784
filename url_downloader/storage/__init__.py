"""Output directory: parts, publishing, free space and existing files.

Entry point: `output_directory.OutputDirectory`. It turns an error of the system into an
AttemptError. The package must not import `attempt`, `engine` or `network`.
"""
