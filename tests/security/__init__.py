"""The attack suite: one file for each kind of attack, written as an attacker would try it.

Each case is one `pytest` case, so that `docs/security.md` can count the cases tried by kind. `conftest.py` has the
people: `clients` maps "nobody", "viewer", "trainer", "rival" (another trainer) and "admin" to signed-in clients.
"""
