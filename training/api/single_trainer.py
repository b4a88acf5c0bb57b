"""The single-trainer API: every call means the active run."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.json_types import JsonObject
from presets.config.files import load_config_file
from presets.config.serializers import with_notes
from presets.preflight.waiting import AwaitsPreflight, checker_of
from training.api.serializers import (
    StartedSerializer,
    StartSerializer,
    StatusSerializer,
    StopSerializer,
    TrainingProgressSerializer,
)
from training.models import RunCommand
from training.runs.service import TrainerService
from web.api.serializers import SuccessSerializer, read_body


def start_options(data: JsonObject) -> JsonObject:
    """The arguments of `TrainerService.start_training` from a validated request."""
    options = dict(data)
    path, config = options.pop("config_path", None), options.pop("config_dict", None)
    if path is not None:
        config = load_config_file(path)
    return {"config": config, **options}


class StatusView(APIView):
    @extend_schema(responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """The state of the active run: the running run, else the newest queued, else the last ended."""
        return Response(TrainerService(request.user).get_state())


class ProgressView(APIView):
    @extend_schema(responses=TrainingProgressSerializer)
    def get(self, request: Request) -> Response:
        """The progress of the active run."""
        state = TrainerService(request.user).get_state()
        return Response({key: state[key] for key in ("is_training", "progress", "max_step", "max_epoch")})


class StartView(AwaitsPreflight):
    @extend_schema(request=StartSerializer, responses=StartedSerializer)
    def post(self, request: Request) -> Response:
        """Queue a run; it starts as soon as a worker is free."""
        options = start_options(read_body(request, StartSerializer))
        run = TrainerService(request.user, checker_of(request)).start_training(**options)
        message = _("“%(name)s” is queued and starts as soon as a worker is free.") % {"name": run.name}
        answer = {"success": True, "message": message, "run_id": str(run.pk)}
        return Response(with_notes(answer, options["config"], options.get("overrides")))


class CommandView(APIView):
    """Sends a command to the active run."""

    def command(self, service: TrainerService) -> RunCommand | None:
        raise NotImplementedError

    @extend_schema(request=None, responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        command = self.command(TrainerService(request.user))
        return Response({"success": True, "message": self.message(command)})

    def message(self, command: RunCommand | None) -> str:
        raise NotImplementedError


class StopView(CommandView):
    """End the active run with a backup and its model, or at once; a queued run is cancelled."""

    @extend_schema(request=StopSerializer, responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        return super().post(request)

    def command(self, service: TrainerService) -> RunCommand | None:
        asked = read_body(self.request, StopSerializer)
        return service.stop_training(at_once=asked["now"])

    def message(self, command: RunCommand | None) -> str:
        return _("The training ends after this step.") if command else _("The queued run is cancelled.")


class BackupView(CommandView):
    """Write a backup of the active run that it can be continued from."""

    def command(self, service: TrainerService) -> RunCommand:
        return service.backup()

    def message(self, command: RunCommand | None) -> str:
        return _("A backup is written after this step.")


class SaveView(CommandView):
    """Save the active run's model in its current state."""

    def command(self, service: TrainerService) -> RunCommand:
        return service.save()

    def message(self, command: RunCommand | None) -> str:
        return _("The model is saved after this step.")
