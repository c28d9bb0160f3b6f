"""Edits that users train from labelled pictures or codes of their own: from the files to a finished, measured edit."""
