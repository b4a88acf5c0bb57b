"""The model families, one file each, and what they share; `loading.py` lists them."""
