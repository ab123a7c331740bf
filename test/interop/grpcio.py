"""Makes the calls from standard input concurrently on one connection, and prints the result of each.

Arguments: the address, and the files of roots, certificate and key. An input line is a method and a request in base64.
An output line is JSON. There is no generated code, because messages are bytes here.
"""

import base64
import json
import sys

import grpc

address, *files = sys.argv[1:]
roots, cert, key = (open(file, "rb").read() for file in files)
credentials = grpc.ssl_channel_credentials(roots, private_key=key, certificate_chain=cert)

with grpc.secure_channel(address, credentials) as channel:
    calls = []
    for line in sys.stdin:
        method, request = line.split(" ")
        calls.append(channel.unary_unary(method).future(base64.b64decode(request), timeout=300))
    for call in calls:
        code = call.code()
        answer = call.result() if code is grpc.StatusCode.OK else b""
        details = dict(call.trailing_metadata()).get("grpc-status-details-bin", b"")
        texts = {"code": code.name, "message": call.details() or ""}
        print(json.dumps(texts | {"answer": base64.b64encode(answer).decode(), "details": base64.b64encode(details).decode()}))
