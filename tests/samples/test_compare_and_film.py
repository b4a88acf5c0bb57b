"""Two samples under a slider, and films of the steps."""

from __future__ import annotations

import io
import itertools
import re

import av
import pytest
from django.urls import reverse
from PIL import Image

from samples import film
from samples.models import Sample
from tests.api import content
from tests.making import make_run, make_user
from training.runs.removal import delete_with_files
from web.errors import NotNow

pytestmark = pytest.mark.django_db
numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def user(client):
    client.force_login(make_user())


@pytest.fixture
def run():
    return make_run("Stars")


def make_sample(run, step, prompt="a red star", size=(65, 48), **fields):
    number = next(numbers)
    path = run.folder / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (step % 256, 0, 0)).save(path)
    facts = {"settings": {"seed": 1}, "attempt": 1, "sequence": number, "global_step": step}
    return Sample.objects.create(run=run, prompt=prompt, path=str(path), **facts | fields)


def compared(client, **query):
    context = client.get(reverse("samples-compare"), query).context
    return context["left"], context["right"]


def test_a_sample_is_compared_with_the_step_after_it(client, run):
    first, second, third = (make_sample(run, step) for step in (1, 2, 3))
    assert compared(client, a=first.pk) == (first, second)
    assert compared(client, a=third.pk) == (third, second)
    assert compared(client, a=first.pk, b=third.pk) == (first, third)


def test_a_replaced_sample_is_compared_under_its_own_step(client, run):
    old = make_sample(run, step=20, superseded=True)
    make_sample(run, step=0)
    page = client.get(reverse("samples-compare"), {"a": old.pk}).text
    assert re.search(rf'value="{old.pk}" selected>\s*Step 20\s+\(attempt 1, replaced\)', page)


def test_another_run_that_drew_the_prompt_is_offered_and_compared_at_the_nearest_step(client, run):
    shown, other = make_sample(run, 25), make_run("Other stars")
    near, _ = make_sample(other, 20), make_sample(other, 30)
    make_sample(make_run("Moons"), 20, "a moon")
    page = client.get(reverse("samples-compare"), {"a": shown.pk})
    assert [name for _, name in page.context["runs"]] == ["Stars", "Other stars"]
    assert compared(client, a=shown.pk, run=other.pk) == (shown, near)


def test_seeds_that_differ_are_told(client, run):
    one, other = make_sample(run, 1), make_sample(run, 2, settings={"seed": 7})
    assert "Their seeds differ: 1 and 7." in client.get(reverse("samples-compare"), {"a": one.pk, "b": other.pk}).text


@pytest.mark.parametrize("query", [{}, {"a": "nonsense"}, {"a": "9e107d9d-372b-4826-81d4-2c5f8a1b7e44"}])
def test_a_sample_that_is_gone_is_told(client, query):
    answer = client.get(reverse("samples-compare"), query)
    assert answer.status_code == 404 and "does not exist any more" in answer.text


def export(client, sample, kind, **query):
    return client.get(reverse("sample-film-file", args=[sample.pk, kind]), query)


def test_the_steps_are_a_gif_of_the_wished_speed(client, run):
    for step in (1, 100, 200):
        last = make_sample(run, step)
    make_sample(run, 1, "another prompt")
    answer = export(client, last, "gif", speed="2")
    with Image.open(io.BytesIO(content(answer))) as gif:
        assert (gif.format, gif.n_frames, gif.info["duration"], gif.info["loop"]) == ("GIF", 3, 500, 0)
    assert re.fullmatch(r'attachment; filename="Stars-[\w-]+\.gif"', answer.headers["Content-Disposition"])


def test_the_steps_are_an_mp4_of_even_size(client, run, tmp_path):
    for step in (1, 100, 200):
        last = make_sample(run, step)
    make_sample(run, 300, size=(32, 64))
    (tmp_path / "film.mp4").write_bytes(content(export(client, last, "mp4")))
    with av.open(str(tmp_path / "film.mp4")) as video:
        frames = [frame.to_image() for frame in video.decode(video=0)]
    assert [frame.size for frame in frames] == [(64, 48)] * 4
    assert frames[2].getpixel((30, 20))[0] > 150


def test_a_film_is_made_once_and_goes_with_its_run(client, run):
    sample = make_sample(run, 1)
    first = export(client, sample, "gif").headers["ETag"]
    assert export(client, sample, "gif").headers["ETag"] == first
    make_sample(run, 2)
    assert export(client, sample, "gif").headers["ETag"] != first
    delete_with_files(run)
    assert not run.folder.exists()


def test_many_steps_are_thinned_and_films_that_are_kept_are_few(run):
    samples = [make_sample(run, step) for step in range(10)]
    assert [one.global_step for one in film.frames_of(samples[0], 4)] == [0, 3, 6, 9]
    for speed in (1, 2, 4):
        film.film(samples[0], "gif", speed, most_kept=2)
    assert len(list((run.folder / "films").iterdir())) == 2


@pytest.mark.parametrize(("kind", "speed"), [("avi", "4"), ("gif", "1000"), ("gif", "fast")])
def test_a_film_that_cannot_be_made_is_refused_in_a_sentence(client, run, kind, speed):
    answer = export(client, make_sample(run, 1), kind, speed=speed)
    assert answer.status_code == 400 and "frames a second" in answer.text


def test_a_film_of_files_that_are_gone_is_refused_in_a_sentence(client, run):
    sample = make_sample(run, 1)
    sample.file.unlink()
    answer = export(client, sample, "gif")
    assert answer.status_code == 404 and "None of the pictures" in answer.text


def test_who_waits_too_long_for_other_films_is_told(run):
    with film.making, pytest.raises(NotNow, match="try again in a minute"):
        film.film(make_sample(run, 0), "gif", 4, wait_seconds=0)


def test_the_films_page_lists_the_steps(client, run):
    for step in (1, 2):
        sample = make_sample(run, step)
    page = client.get(reverse("sample-film", args=[sample.pk])).text
    assert page.count("data-frame=") == 2
