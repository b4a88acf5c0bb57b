"""The editor: drafts with undo, its fields, lists, search and JSON view."""
