"""The audit log: who did what to what, from where, and what it changed; append-only, and chained by hashes.

    from system.audit import record

    record("token.created", thing=token, after={"name": token.name, "scopes": ["read"]})
    record("run.deleted", actor=job.user, thing=run, before={"status": run.status})
    record("sign_in.failed", actor="ada", after={"reason": "wrong password"})

Call it once for each act, after the act, in the transaction that makes the change, as its last statement: it locks
the head of the chain until that transaction ends. Inside a request it knows the request, hence the signed-in user and
the client's address; elsewhere give `actor`, a user or a name, or act in a block of `system.audit.trace.acting_for`, as
jobs do. `thing` is a model instance, or `Thing(kind, id, name)`. `before` and `after` are small JSON objects, of the
changed values only; values of keys that look secret are replaced, and long texts are shortened. An action is named
`subject.verb`, such as `preset.deleted`.

A request that changes something and records nothing by itself gets a row from the middleware (`system.audit.requests`).
Models whose rows are settings or roles are watched (`system.audit.watching.watch`), whichever way they are saved.
"""

from system.audit.log import record
from system.audit.thing import Thing

__all__ = ["Thing", "record"]
