"""The proof that no event is lost: real trainings in real sites with faults at random moments, and checks afterwards.

`plans` derives the faults and their times from a seed; `world` is the site and applies them; `witness` compares the
answers of the site with the real state all the time; `invariants` compares journal, database and files at the end.
`rounds` puts them together.
"""
