"""The icon at the address where browsers look for it."""


def test_browsers_find_an_icon_on_pages_that_name_none(client):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer.url.endswith("img/icon.svg")
