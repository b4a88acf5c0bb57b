"""Pictures and clients for tests of data sets."""

from __future__ import annotations

import base64
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from presets.datasets import verbs
from presets.models import DataSet

TUS = {"Tus-Resumable": "1.0.0"}


def picture(color: Any = "red", size: tuple[int, int] = (64, 48), kind: str = "PNG", **facts: Any) -> bytes:
    """The bytes of a picture file of one colour."""
    target = io.BytesIO()
    Image.new("RGB", size, color).save(target, kind, **facts)
    return target.getvalue()


def make_set(name: str = "rex") -> DataSet:
    return verbs.create(name, None)


def send(client: Any, data_set: DataSet, name: str, content: bytes, **facts: Any) -> dict[str, Any]:
    """Send one file in one call; returns what became of it."""
    body = {"file": [SimpleUploadedFile(name, content)], **facts}
    answer = client.post(f"/api/datasets/{data_set.pk}/pictures", body, format="multipart")
    assert answer.status_code == 201, answer.json()
    return answer.json()["results"][0]


def pair(name: str, value: str) -> str:
    return f"{name} {base64.b64encode(value.encode()).decode()}"


def begin(client: Any, data_set: DataSet, name: str, size: int) -> Any:
    """Begin a resumable upload."""
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": pair("filename", name)}
    return client.post(f"/api/datasets/{data_set.pk}/uploads", headers=headers)


def put(client: Any, address: str, offset: int, piece: bytes, **headers: str) -> Any:
    """Send a piece of a resumable upload."""
    kind = "application/offset+octet-stream"
    return client.generic("PATCH", address, piece, kind, headers={**TUS, "Upload-Offset": str(offset), **headers})


def names_in(data_set: DataSet) -> list[str]:
    """The files in the data set's folder, with those in subfolders."""
    files = [path for path in data_set.folder.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(data_set.folder)) for path in files)
