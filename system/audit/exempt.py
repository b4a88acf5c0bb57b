"""Requests with a changing method that leave no row in the audit log, by the name of their address, with the reason."""

DRAFT = "A step in the editor of one's own draft, which keeps its steps itself; saving or starting it is recorded."
OWN = "A mark or a saved filter of one's own, which changes nothing for others."
CHECK = "It checks or counts, and changes nothing."

EXEMPT: dict[str, str] = {
    "draft-edit": DRAFT,
    "draft-json": DRAFT,
    "preset-edit": DRAFT,
    "preset-new": DRAFT,
    "new-run": DRAFT,
    "wizard-step": DRAFT,
    "api:config-current": DRAFT,
    "api:config-undo": DRAFT,
    "api:config-redo": DRAFT,
    "api:config-load": DRAFT,
    "wizard-dismiss": OWN,
    "preset-favourite": OWN,
    "run-favourite": OWN,
    "sample-favourite": OWN,
    "samples-selection": "It marks favourites or sends a zip file; a deletion is recorded by the service that deletes.",
    "save-view": OWN,
    "delete-view": OWN,
    "api:view-list": OWN,
    "api:view-detail": OWN,
    "browse": CHECK,
    "preflight-start": CHECK,
    "api:config-validate": CHECK,
    "api:config-preflight": CHECK,
    "cleanup-count": CHECK,
    "api:ws-ticket": "A ticket opens one WebSocket within a minute, and changes nothing.",
    "api:auth-refresh": "A pair of tokens is recorded when it is made.",
    "web.error_pages.favicon": "A redirect to a picture.",
}
