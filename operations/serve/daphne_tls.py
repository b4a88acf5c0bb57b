"""daphne on an open socket with a certificate: `-m operations.serve.daphne_tls CERTIFICATE KEY <daphne's options>`.

daphne's own options take either an open socket or a certificate. The socket must stay open while the server restarts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from daphne import server
from OpenSSL import crypto
from twisted.internet import endpoints, ssl
from twisted.protocols.tls import TLSMemoryBIOFactory

from web.servers import with_daphne

MARK = b"-----BEGIN CERTIFICATE-----"


class EncryptedEndpoint:
    """An endpoint whose connections speak TLS 1.2 or newer."""

    def __init__(self, endpoint: Any, options: Any) -> None:
        self._endpoint, self._options = endpoint, options

    def listen(self, factory: Any) -> Any:
        return self._endpoint.listen(TLSMemoryBIOFactory(self._options, False, factory))


def options_of(certificate: Path, key: Path) -> Any:
    """For the certificate, those that vouch for it in the same file, and its key."""
    parts = [MARK + part for part in certificate.read_bytes().split(MARK)[1:]]
    chain = [crypto.load_certificate(crypto.FILETYPE_PEM, part) for part in parts]
    private = crypto.load_privatekey(crypto.FILETYPE_PEM, key.read_bytes())
    oldest = ssl.TLSVersion.TLSv1_2
    return ssl.CertificateOptions(private, chain[0], extraCertChain=chain[1:], raiseMinimumTo=oldest)


def main(certificate: str, key: str, *arguments: str) -> None:
    """Serve until a signal."""
    options = options_of(Path(certificate), Path(key))
    server.serverFromString = lambda reactor, description: EncryptedEndpoint(
        endpoints.serverFromString(reactor, description), options
    )
    with_daphne.prepare()
    with_daphne.Command().run(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
