"""The finder (Ctrl K): pages, actions, runs, presets and settings by a few words."""
