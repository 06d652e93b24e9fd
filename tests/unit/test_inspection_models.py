"""Models and arrays are walked through: none may lie, name other files, or hold a pickle."""

import struct
from typing import Any

import numpy as np
import onnx
import pytest

from infra.artifacts.inspection import inspect
from infra.artifacts.inspection.onnx import _PARTS, _Kind
from tests.unit.inspection_samples import (
    Recorded,
    array_file,
    gguf_model,
    onnx_model,
    refusal,
    varint,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stated": 64}, "do not fit"),
        ({"offset": 1}, "overlap"),
        ({"offset": 128}, "do not fit"),
        ({"elements": 16}, "do not fit"),
        ({"stated": 2**62}, "do not fit"),
    ],
)
def test_a_gguf_header_that_lies_is_refused(change: dict[str, Any], words: str) -> None:
    assert words in refusal(gguf_model(**change))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (4, struct.pack("<I", 1)),  # the version
        (8, struct.pack("<Q", 2**63)),  # the tensors
        (16, struct.pack("<Q", 2**63)),  # the entries
        (24, struct.pack("<Q", 2**63)),  # the length of a key
        (52, struct.pack("<I", 77)),  # the type of a value
        (24 + 8 + 20 + 4 + 8 + 5 + 8 + 17 + 4, struct.pack("<I", 3)),  # the alignment
    ],
)
def test_a_gguf_header_that_makes_no_sense_is_refused(at: int, value: bytes) -> None:
    content = bytearray(gguf_model())
    content[at : at + len(value)] = value
    assert "GGUF header is wrong" in refusal(bytes(content))


def test_a_gguf_tensor_of_a_newer_type_is_accepted() -> None:
    content = gguf_model()
    at = content.index(b"output.weight") + 13 + 4 + 8
    newer = content[:at] + struct.pack("<I", 900) + content[at + 4 :]
    assert inspect(Recorded(newer)).refusal is None


def test_an_onnx_model_whose_weights_are_in_another_file_is_refused() -> None:
    for location in ("weights.bin", "../../etc/passwd"):
        assert "reads data from other files" in refusal(onnx_model(location))


def external() -> onnx.TensorProto:
    tensor = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL, name="t")
    tensor.external_data.add(key="location", value="elsewhere")
    return tensor


def places_of_tensors() -> dict[str, onnx.ModelProto]:
    """A model for each place where a tensor can be, with one that names another file."""
    tensor = external()
    sparse = onnx.SparseTensorProto(values=tensor)
    attributes = {
        "tensor": onnx.AttributeProto(t=tensor),
        "tensors": onnx.AttributeProto(tensors=[tensor]),
        "sparse tensor": onnx.AttributeProto(sparse_tensor=sparse),
        "sparse tensors": onnx.AttributeProto(
            sparse_tensors=[onnx.SparseTensorProto(indices=tensor)]
        ),
        "graph": onnx.AttributeProto(g=onnx.GraphProto(initializer=[tensor])),
        "graphs": onnx.AttributeProto(graphs=[onnx.GraphProto(initializer=[tensor])]),
    }
    models = {
        f"{name} of a node": onnx.ModelProto(
            graph=onnx.GraphProto(node=[onnx.NodeProto(attribute=[attribute])])
        )
        for name, attribute in attributes.items()
    }
    function = onnx.FunctionProto(node=[onnx.NodeProto(attribute=[attributes["tensor"]])])
    default = onnx.FunctionProto(attribute_proto=[attributes["tensor"]])
    graph = onnx.GraphProto(initializer=[tensor])
    return models | {
        "sparse initializer": onnx.ModelProto(graph=onnx.GraphProto(sparse_initializer=[sparse])),
        "function": onnx.ModelProto(graph=onnx.GraphProto(), functions=[function]),
        "default of a function": onnx.ModelProto(graph=onnx.GraphProto(), functions=[default]),
        "training": onnx.ModelProto(
            graph=onnx.GraphProto(),
            training_info=[onnx.TrainingInfoProto(initialization=graph, algorithm=graph)],
        ),
    }


@pytest.mark.parametrize("place", sorted(places_of_tensors()))
def test_a_tensor_that_names_another_file_is_found_wherever_it_is(place: str) -> None:
    model = places_of_tensors()[place]
    model.ir_version = 10
    assert "reads data from other files" in refusal(model.SerializeToString())


def test_all_messages_of_a_model_that_hold_tensors_are_entered() -> None:
    kinds = {
        "ModelProto": _Kind.MODEL,
        "GraphProto": _Kind.GRAPH,
        "NodeProto": _Kind.NODE,
        "AttributeProto": _Kind.ATTRIBUTE,
        "SparseTensorProto": _Kind.SPARSE_TENSOR,
        "FunctionProto": _Kind.FUNCTION,
        "TrainingInfoProto": _Kind.TRAINING,
        "TensorProto": _Kind.TENSOR,
    }
    for name, kind in kinds.items():
        fields = getattr(onnx, name).DESCRIPTOR.fields
        messages = {
            each.number: kinds[each.message_type.name]
            for each in fields
            if each.message_type and each.message_type.name in kinds
        }
        assert messages == _PARTS[kind], name


@pytest.mark.parametrize(
    "tail",
    [
        b"\x3a\x05ab",  # a graph longer than the file
        b"\x3a\x00\xf8\x07\x01",  # a field that no model has
        b"\x3a\x00\x0b",  # a group
        b"\x10\x01",  # no graph
        b"\x3a\x00\x80",  # a number without an end
    ],
)
def test_what_only_begins_like_onnx_is_refused(tail: bytes) -> None:
    assert "format not accepted" in refusal(b"\x08\x0a" + tail)


def test_graphs_nested_without_end_are_refused() -> None:
    graph = onnx.GraphProto(initializer=[external()]).SerializeToString()
    for _ in range(70):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # a graph, in an attribute, in a node
            graph = field + varint(len(graph)) + graph
    assert "nests graphs" in refusal(b"\x08\x09\x3a" + varint(len(graph)) + graph)


def npy_with(header: str) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + bytes(8)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n",
        "{'descr': [('a', '<i4'), (('title', 'b'), '<i4')], 'fortran_order': True, 'shape': (), }",
        "{'shape': (1L,), 'fortran_order': False, 'descr': '|V8'}",
    ],
)
def test_headers_of_arrays_are_read_as_numpy_does(header: str) -> None:
    assert inspect(Recorded(npy_with(header))).refusal is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "{}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1.0,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': 'float', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': None, 'fortran_order': False, 'shape': (1,), }",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }",
        "{'descr': ['<f8'], 'fortran_order': False, 'shape': (1,), }",
        "[" * 5000,
        "{'descr': " + "(" * 5000,
        "-" * 5000,
    ],
)
def test_headers_of_arrays_that_make_no_sense_are_refused(header: str) -> None:
    assert "not as its header says" in refusal(npy_with(header))


@pytest.mark.parametrize("descr", ["'|O'", "'O8'", "[('a', '<f4'), ('b', '|O')]"])
def test_an_array_of_objects_is_refused_as_a_pickle(descr: str) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"
    assert "an array of Python objects is a pickle" in refusal(npy_with(header))


def test_a_field_may_be_called_as_the_type_of_objects_is() -> None:
    content = array_file(np.zeros(2, dtype=[("O", "<f4")]))
    assert inspect(Recorded(content)).refusal is None
