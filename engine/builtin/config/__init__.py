"""The config of the built-in trainer: its fields, enums, schema, and the values that it refuses."""
