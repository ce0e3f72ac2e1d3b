"""The descriptor set that comes with the package is the contract that the generated code speaks."""

from importlib.resources import files

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from adsum.v1 import admin_pb2, member_pb2, presence_pb2

DESCRIPTORS = FileDescriptorSet.FromString((files("adsum.v1") / "adsum.binpb").read_bytes())
BY_NAME = {file.name: file for file in DESCRIPTORS.file}


@pytest.mark.parametrize("module", [member_pb2, presence_pb2, admin_pb2], ids=lambda module: module.__name__)
def test_set_describes_what_the_generated_code_speaks(module: object) -> None:
    generated = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(generated)  # type: ignore[attr-defined]  # every generated module has one
    described = BY_NAME[generated.name]
    assert _fields(described) == _fields(generated)
    assert described.enum_type == generated.enum_type
    assert described.service == generated.service


def _fields(file: FileDescriptorProto) -> list[tuple[str, str, int, int, str]]:
    return [
        (message.name, field.name, field.number, field.type, field.type_name)
        for message in file.message_type
        for field in message.field
    ]


def test_set_is_complete_and_commented() -> None:
    for file in DESCRIPTORS.file:
        assert set(file.dependency) <= set(BY_NAME)
        assert any(location.leading_comments for location in file.source_code_info.location)
