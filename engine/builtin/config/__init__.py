"""The config of the built-in trainer: its fields, enums, schema, and what it refuses."""
