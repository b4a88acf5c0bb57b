"""The table of runs: columns, filters, saved views, CSV, bulk actions, comparison."""
