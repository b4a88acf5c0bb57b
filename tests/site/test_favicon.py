"""The icon at the address where browsers look for it."""


def test_pages_without_an_icon_link_have_an_icon(client):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer.url.endswith("img/icon.svg")
