"""The names of files: safe on every file system, and each claimed by one URL only.

Entry points: `filenames.name_from_url`, `name_claims.NameClaims`, `server_names.ServerNames`,
`content_disposition.suggested_name`. This package must not import modules that access the disk.
"""
