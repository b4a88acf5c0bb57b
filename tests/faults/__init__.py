"""The proof that nothing is lost: real trainings in real sites, hurt at random moments, and what must hold after.

`plans` says what is done when, from a seed; `world` is the site and does it; `witness` compares what the site says with
what is so, all the while; `invariants` compares journal, database and files at the end. `rounds` puts them together.
"""
