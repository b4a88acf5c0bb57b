"""The doctor tries the limits of an engine process instead of believing a version."""

from engine.guest import landlock
from operations.doctor.finding import FINE
from tests.operations.doctor.doctor_world import found_by


def test_the_limits_are_tried_on_this_machine(settings):
    (settings.DATA_DIR / "secret_key").touch()
    said = [finding.sentence for finding in found_by("Engine process", FINE)]
    assert any("Control channels admit only the site's own user" in sentence for sentence in said)
    try:
        landlock.version()
    except landlock.Unavailable:
        (finding,) = found_by("Engine process")
        assert "The kernel does not limit the files" in finding.sentence
    else:
        assert any("cannot reach the database, the secret key or other runs" in sentence for sentence in said)


def test_a_site_that_does_not_limit_its_trainings_is_told(settings):
    settings.CONFINE_ENGINE = False
    (finding,) = found_by("Engine process")
    assert "CONFINE_ENGINE is off" in finding.sentence


def test_variables_that_the_admin_adds_are_named(settings):
    settings.ENGINE_ENVIRONMENT = ["MY_LIBRARY"]
    assert any("ENGINE_ENVIRONMENT adds MY_LIBRARY" in finding.sentence for finding in found_by("Engine process", FINE))
