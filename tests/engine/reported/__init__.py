"""Faults that users of trainers reported in public: one test for each kind, with input made by code."""
