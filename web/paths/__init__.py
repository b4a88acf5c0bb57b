"""The site's door: which paths from people, configs, imports and API calls may be used, and for what."""
