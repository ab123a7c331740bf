"""Puts and gets a secret through an Envoy beside it, and reads the reason of an error. It has no identity."""

import os
import time
import uuid

import grpc
from coffer.v1 import coffer_pb2, coffer_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

PATH = "shop/api/db"


def reason(error: grpc.RpcError) -> str:
    """The reason of Coffer's google.rpc.ErrorInfo, or "" for an error that is not Coffer's."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info) and info.domain == "coffer":
            return info.reason
    return ""


with grpc.insecure_channel(os.environ.get("ENVOY_ADDR", "127.0.0.1:8554")) as channel:
    secrets = coffer_pb2_grpc.SecretsStub(channel)
    # With its request_id, the server applies the Put once, however often Envoy repeats it.
    request = coffer_pb2.PutRequest(path=PATH, data={"user": "app"}, request_id=str(uuid.uuid4()))
    put = secrets.Put(request, timeout=30, wait_for_ready=True)
    print("put", put.path, flush=True)
    try:
        secrets.Get(coffer_pb2.GetRequest(path=f"{PATH}/missing"), timeout=30)
    except grpc.RpcError as error:
        print("error", error.code().name, reason(error), flush=True)
    while True:
        got = secrets.Get(coffer_pb2.GetRequest(path=PATH), timeout=30)
        print("get", got.data["user"], flush=True)
        time.sleep(1)
