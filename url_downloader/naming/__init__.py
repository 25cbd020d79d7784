"""Names of files: safe on every file system, and claimed once each.

Entry points: `filenames.name_from_url` and `name_claims.NameClaims`. Names only: this package
must not import anything that touches the disk.
"""
