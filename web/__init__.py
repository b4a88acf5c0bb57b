"""Parts for every page and API: errors, pages, permissions, filters, serving of files, allowed paths."""
