"""Changes to a user's saved views of the table of runs, for the page and the API."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from training.models import SavedView
from training.table import query as run_table
from web.errors import BadInput, NotNow

MOST_VIEWS = 50
LONGEST_NAME, LONGEST_QUERY = 60, 2000


def keep(user: User, name: str, query: str, replace: bool = False) -> SavedView:
    """Save filters and order under a name; `replace` overwrites a view of that name. Raises BadInput or NotNow."""
    name, views = _name(name), user.saved_views
    known = views.filter(name=name).first()
    if known and replace:
        return change(known, {"query": query})
    if known:
        raise NotNow(
            _("You already have a view “%(name)s”: choose another name, or change that view.") % {"name": name}
        )
    if views.count() >= MOST_VIEWS:
        raise NotNow(_("You have %(number)d views: delete one first.") % {"number": MOST_VIEWS})
    return _saved(SavedView(user=user, name=name, query=_query(query)))


def change(view: SavedView, changes: dict[str, str]) -> SavedView:
    """Change its name or filters; raises BadInput or NotNow."""
    if "name" in changes:
        view.name = _name(changes["name"])
    if "query" in changes:
        view.query = _query(changes["query"])
    return _saved(view)


def _name(text: str) -> str:
    name = text.replace("\x00", "").strip()[:LONGEST_NAME]
    if not name:
        sentence = _("Enter a name for the view.")
        raise BadInput(sentence, {"name": [sentence]})
    return name


def _query(text: str) -> str:
    """The table's parameters of an address."""
    return run_table.read(text.removeprefix("?")).urlencode()[:LONGEST_QUERY]


def _saved(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        sentence = _("You already have a view “%(name)s”: choose another name, or change that view.")
        raise NotNow(sentence % {"name": view.name}) from error
    return view
