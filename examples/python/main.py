"""Puts and gets a secret, and reads the reason of an error. Its identity comes from the Workload API."""

import json
import os
import time
import uuid

import grpc
from coffer.v1 import coffer_pb2, coffer_pb2_grpc
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from spiffe import SpiffeId, X509Source

# #region service-config
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "coffer.v1.Secrets", "method": "Get"},
                {"service": "coffer.v1.Secrets", "method": "BatchGet"},
                {"service": "coffer.v1.Secrets", "method": "List"},
                {"service": "coffer.v1.Secrets", "method": "Describe"},
                {"service": "coffer.v1.Secrets", "method": "Put"},
            ],
            "timeout": "30s",
            "waitForReady": True,
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        {"name": [{"service": "coffer.v1.Secrets"}], "timeout": "30s", "waitForReady": True},
    ]
}
# #endregion


# #region channel
class Coffer:
    """A channel with the newest SVID. grpcio's credentials never change, so each newer SVID needs a new channel."""

    def __init__(self, source: X509Source, address: str, server_id: SpiffeId) -> None:
        self._source, self._address, self._trust_domain = source, address, server_id.trust_domain
        self._channel: grpc.Channel | None = None
        self._is_stale = True
        source.subscribe_for_updates(self._update)

    def _update(self) -> None:
        self._is_stale = True

    def secrets(self) -> coffer_pb2_grpc.SecretsStub:
        """The stub for the next call. With several threads, close the old channel only after its calls have ended."""
        if self._is_stale:
            self._is_stale = False
            if self._channel is not None:
                self._channel.close()
            self._channel = self._open()
        return coffer_pb2_grpc.SecretsStub(self._channel)

    def _open(self) -> grpc.Channel:
        context = self._source.get_x509_context()
        svid = context.default_svid
        bundle = context.x509_bundle_set.get_bundle_for_trust_domain(self._trust_domain)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=b"".join(each.public_bytes(Encoding.PEM) for each in bundle.x509_authorities),
            private_key=svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate_chain=b"".join(each.public_bytes(Encoding.PEM) for each in svid.cert_chain),
        )
        options = {
            "grpc.service_config": json.dumps(SERVICE_CONFIG),
            "grpc.keepalive_time_ms": 60_000,
            "grpc.keepalive_timeout_ms": 20_000,
        }
        # grpcio accepts any SVID that a CA of the bundle signed and that has the address's host name as a DNS name.
        return grpc.secure_channel(self._address, credentials, options=list(options.items()))


# #endregion


# #region reason
def reason(error: grpc.RpcError) -> str:
    """The reason of Coffer's google.rpc.ErrorInfo, or "" for an error that is not Coffer's."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info) and info.domain == "coffer":
            return info.reason
    return ""


# #endregion


# #region put
def put(coffer: Coffer, path: str, data: dict[str, str]) -> coffer_pb2.PutResponse:
    """Makes a change. With its request_id, the server applies it once, however often the retry policy repeats it."""
    return coffer.secrets().Put(coffer_pb2.PutRequest(path=path, data=data, request_id=str(uuid.uuid4())))


# #endregion


def main() -> None:
    path = "shop/api/db"
    with X509Source() as source:
        coffer = Coffer(source, os.environ["COFFER_ADDR"], SpiffeId(os.environ["COFFER_SERVER_ID"]))
        print("put", put(coffer, path, {"user": "app"}).path, flush=True)
        try:
            coffer.secrets().Get(coffer_pb2.GetRequest(path=f"{path}/missing"))
        except grpc.RpcError as error:
            print("error", error.code().name, reason(error), flush=True)
        while True:
            got = coffer.secrets().Get(coffer_pb2.GetRequest(path=path))
            print("get", got.data["user"], flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main()
