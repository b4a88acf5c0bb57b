"""The pictures and videos that runs generate: gallery, comparison, film, thumbnails, API."""
