"""Lists on the editor's page: without JavaScript, and the responses to its scripts."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from presets.editor import drafts
from presets.editor.lists import opened_after
from tests.making import make_user
from tests.presets.editor.editor_client import send

pytestmark = pytest.mark.django_db
NEW = "/runs/new/"


@pytest.fixture
def draft(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    concepts = [{"name": "stars", "path": "/a/stars"}, {"name": "moons", "path": "/a/moons"}]
    return drafts.replace_config(drafts.get_draft(user), 0, {"concepts": concepts, "samples": [{"prompt": "a star"}]})


def ask(client, draft, **asked):
    draft.refresh_from_db()
    body = {"revision": draft.revision, "tab": "concepts", **asked}
    answer = client.post(reverse("draft-edit", args=[draft.pk]), json.dumps(body), content_type="application/json")
    draft.refresh_from_db()
    return answer.json()


def names(draft):
    draft.refresh_from_db()
    return [item.get("name") for item in draft.config["concepts"]]


def test_items_are_lines_without_fields_until_they_are_opened(client, draft):
    page = client.get(NEW, {"tab": "concepts"}).text
    assert "stars" in page and "/a/moons" in page
    assert "field:concepts.0.name" not in page
    page = client.get(NEW, {"tab": "concepts", "item": "concepts.1"}).text
    assert "field:concepts.1.name" in page and "field:concepts.0.name" not in page


def test_steps_work_without_scripts_and_keep_typed_fields(client, draft):
    page = client.get(NEW, {"tab": "concepts", "item": "concepts.0"}).text
    send(client, NEW, page=page, field__concepts__0__name="suns", do="", list="concepts:clone:0")
    assert names(draft) == ["suns", "suns copy", "moons"]


def test_a_folder_is_added_without_scripts(client, draft):
    page = client.get(NEW, {"tab": "concepts"}).text
    send(client, NEW, page=page, list__concepts="/b/comets", do="", list="concepts:add")
    assert names(draft) == ["stars", "moons", "comets"]


def test_a_refused_step_is_reported(client, draft):
    page = client.get(NEW, {"tab": "concepts"}).text
    answer = client.post(NEW, {"revision": draft.revision, "tab": "concepts", "list": "concepts:remove:7"}, follow=True)
    assert "concept does not exist any more" in answer.text and page
    assert names(draft) == ["stars", "moons"]


def test_a_script_gets_only_the_parts_that_differ(client, draft):
    seen = dict.fromkeys(ask(client, draft, seen={})["fields"], "")
    answer = ask(client, draft, seen=seen, open=["concepts.0"])
    fields = answer["fields"]
    assert "field:concepts.0.name" in fields["concepts"]
    assert "concepts.0.name" not in fields  # it is part of the list already


def test_typing_in_an_item_updates_only_its_line_and_field(client, draft):
    page = client.get(NEW, {"tab": "concepts", "item": "concepts.0"}).text
    seen = states(page)
    change = [{"field": "concepts.0.name", "text": "suns"}]
    answer = ask(client, draft, changes=change, seen=seen, open=["concepts.0"])
    assert set(answer["fields"]) == {"concepts.0:head", "concepts.0.name"}


def states(page):
    """The state of each part as the page's script would send it."""
    return dict(re.findall(r'data-field="([^"]+)"\s+data-state="([^"]+)"', page))


def test_opening_an_item_sends_its_body(client, draft):
    seen = states(client.get(NEW, {"tab": "concepts"}).text)
    fields = ask(client, draft, seen=seen, open=["concepts.1"])["fields"]
    assert set(fields) >= {"concepts.1:head", "concepts.1:body"}
    assert "field:concepts.1.name" in fields["concepts.1:body"]


def test_a_moved_item_stays_open(client, draft):
    fields = ask(client, draft, seen={}, open=["concepts.0"], list="concepts:move:0:1")["fields"]
    assert "field:concepts.1.name" in fields["concepts"] and "field:concepts.0.name" not in fields["concepts"]
    assert names(draft) == ["moons", "stars"]


@pytest.mark.parametrize(
    ("command", "opened"),
    [
        ("concepts:add", {"concepts.1", "concepts.3", "samples.1"}),
        ("concepts:clone:0", {"concepts.2", "concepts.1", "samples.1"}),
        ("concepts:remove:0", {"concepts.0", "samples.1"}),
        ("concepts:move:1:2", {"concepts.2", "samples.1"}),
        ("concepts:toggle:1", {"concepts.1", "samples.1"}),
        ("samples:remove:1", {"concepts.1"}),
    ],
)
def test_open_items_stay_open_after_every_step(command, opened):
    assert opened_after({"concepts.1", "samples.1"}, command, 3) == opened


def test_an_item_with_wrong_fields_shows_their_number(client, draft):
    drafts.replace_config(draft, draft.revision, {"concepts": [{"name": "stars"}, 5]})
    page = client.get(NEW, {"tab": "concepts"}).text
    assert "tab-errors" in page and "correct it in the JSON" in page


def test_a_list_in_a_file_is_shown_with_its_size_and_copied_on_request(client, draft, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    (tmp_path / "mine.json").write_text(json.dumps([{"name": "suns", "path": "/a"}]))
    drafts.replace_config(draft, draft.revision, {"concept_file_name": str(tmp_path / "mine.json")})
    page = client.get(NEW, {"tab": "concepts"}).text
    assert "mine.json" in page and "which has 1" in page and "suns" not in page
    send(client, NEW, page=page, do="", list="concepts:take-in")
    assert names(draft) == ["suns"]


def test_a_file_outside_the_allowed_folders_is_refused_and_not_shown(client, draft, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    (tmp_path / "secret.json").write_text('[{"name": "hidden"}]')
    drafts.replace_config(draft, draft.revision, {"concept_file_name": str(tmp_path / "secret.json")})
    page = client.get(NEW, {"tab": "concepts"}).text
    assert "outside the allowed folders" in page and "hidden<" not in page


@pytest.mark.parametrize("content", [5, "text", {"a": 1}, [None, [], "x"], [{"path": 5, "text": 7, "name": ["a"]}]])
@pytest.mark.parametrize("field", ["concepts", "samples"])
def test_the_page_is_shown_for_any_content_of_the_list(client, draft, field, content):
    drafts.replace_config(draft, draft.revision, {field: content})
    tab = {"concepts": "concepts", "samples": "sampling"}[field]
    assert client.get(NEW, {"tab": tab, "item": f"{field}.0"}).status_code == 200


def test_the_page_of_a_hundred_concepts_stays_small(client, draft):
    drafts.replace_config(
        draft, draft.revision, {"concepts": [{"name": f"{n}", "path": f"/a/{n}"} for n in range(100)]}
    )
    assert len(client.get(NEW, {"tab": "concepts"}).content) < 300_000
