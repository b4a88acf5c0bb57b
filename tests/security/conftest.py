"""The people of the attack suite."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.making import make_user
from web.permissions import TRAINERS


def client_of(user):
    client = Client()
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def clients(db):
    """Clients by person. The rival is a trainer who owns nothing of the trainer's."""
    trainers = Group.objects.get_or_create(name=TRAINERS)[0]
    people = {name: make_user(name) for name in ("viewer", "trainer", "rival")}
    people["trainer"].groups.add(trainers)
    people["rival"].groups.add(trainers)
    people["admin"] = make_user("boss", is_staff=True, is_superuser=True)
    return {"nobody": Client()} | {name: client_of(user) for name, user in people.items()}
