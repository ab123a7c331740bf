"""buf's plugin for the stubs of grpcio, which come from grpcio-tools: its protoc has the generator built in."""

import pathlib
import sys
import tempfile

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    (folder / "set.binpb").write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    (folder / "out").mkdir()
    outputs = [f"--{kind}_out={folder}/out" for kind in ("python", "pyi", "grpc_python")]
    command = ["protoc", f"--descriptor_set_in={folder}/set.binpb", *outputs, *request.file_to_generate]
    if protoc.main(command) != 0:
        sys.exit("protoc failed")
    for file in (folder / "out").rglob("*.py*"):
        response.file.add(name=str(file.relative_to(folder / "out")), content=file.read_text())
sys.stdout.buffer.write(response.SerializeToString())
