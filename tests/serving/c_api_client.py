"""A client of TensorFlow's C API without TensorFlow's Python package: sends requests to a SavedModel, one after the other.

Arguments: the library, the SavedModel. Reads requests.json in the working folder, a list of {"inputs": {tensor: file of an
array}, "outputs": {name: tensor}}. Writes outputs.npz, the arrays NUMBER/NAME of each request that was answered, and
messages.json, a list of TensorFlow's messages of those that were not, and null.
"""

import ctypes
import json
import math
import sys

import numpy as np

# TF_DataType of c_api.h.
_DTYPES = {"float32": 1, "int64": 9, "bool": 10}
_NAMES = {number: name for name, number in _DTYPES.items()}


class Refusal(Exception):
    """TensorFlow's message of a call that failed."""


class Output(ctypes.Structure):
    """TF_Output: one output of an operation."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Client:
    """The few functions of the C API that run a SavedModel."""

    def __init__(self, library_path):
        self.library = ctypes.CDLL(library_path)
        self.status = self.call("TF_NewStatus", restype=ctypes.c_void_p)

    def call(self, name, *arguments, restype=None):
        """Calls a function; Python integers of `restype` c_void_p are pointers."""
        function = getattr(self.library, name)
        function.restype = restype
        return function(*arguments)

    def check(self):
        """Raises TensorFlow's message if the last call failed."""
        if self.call("TF_GetCode", ctypes.c_void_p(self.status), restype=ctypes.c_int):
            raise Refusal(self.call("TF_Message", ctypes.c_void_p(self.status), restype=ctypes.c_char_p).decode())

    def load(self, directory):
        """A session on the SavedModel, and its graph."""
        graph = self.call("TF_NewGraph", restype=ctypes.c_void_p)
        options = self.call("TF_NewSessionOptions", restype=ctypes.c_void_p)
        tags = (ctypes.c_char_p * 1)(b"serve")
        session = self.call(
            "TF_LoadSessionFromSavedModel",
            ctypes.c_void_p(options),
            None,
            directory.encode(),
            tags,
            1,
            ctypes.c_void_p(graph),
            None,
            ctypes.c_void_p(self.status),
            restype=ctypes.c_void_p,
        )
        self.check()
        return session, graph

    def output(self, graph, tensor_name):
        """The TF_Output of a name like `operation:0`."""
        name, index = tensor_name.split(":")
        operation = self.call("TF_GraphOperationByName", ctypes.c_void_p(graph), name.encode(), restype=ctypes.c_void_p)
        if not operation:
            sys.exit(f"no operation {name}")
        return Output(operation, int(index))

    def tensor(self, array):
        """A TF_Tensor with a copy of an array."""
        dtype = _DTYPES[array.dtype.name]
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        num_bytes = ctypes.c_size_t(array.nbytes)
        tensor = self.call("TF_AllocateTensor", dtype, dims, array.ndim, num_bytes, restype=ctypes.c_void_p)
        data = self.call("TF_TensorData", ctypes.c_void_p(tensor), restype=ctypes.c_void_p)
        ctypes.memmove(data, array.tobytes(), array.nbytes)
        return tensor

    def array(self, tensor):
        """A copy of a TF_Tensor as an array."""
        pointer = ctypes.c_void_p(tensor)
        dtype = _NAMES[self.call("TF_TensorType", pointer, restype=ctypes.c_int)]
        rank = self.call("TF_NumDims", pointer, restype=ctypes.c_int)
        shape = [self.call("TF_Dim", pointer, axis, restype=ctypes.c_int64) for axis in range(rank)]
        data = self.call("TF_TensorData", pointer, restype=ctypes.c_void_p)
        num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        return np.frombuffer(ctypes.string_at(data, num_bytes), dtype=dtype).reshape(shape)

    def run(self, session, inputs, tensors, outputs):
        """The outputs as arrays."""
        results = (ctypes.c_void_p * len(outputs))()
        self.call(
            "TF_SessionRun",
            ctypes.c_void_p(session),
            None,
            (Output * len(inputs))(*inputs),
            (ctypes.c_void_p * len(tensors))(*tensors),
            len(inputs),
            (Output * len(outputs))(*outputs),
            results,
            len(outputs),
            None,
            0,
            None,
            ctypes.c_void_p(self.status),
        )
        self.check()
        return [self.array(result) for result in results]


def main(library, directory):
    """Sends the requests, all to one session."""
    client = Client(library)
    session, graph = client.load(directory)
    with open("requests.json", encoding="utf-8") as file:
        requests = json.load(file)
    arrays, messages = {}, []
    for number, request in enumerate(requests):
        inputs = [client.output(graph, name) for name in request["inputs"]]
        tensors = [client.tensor(np.load(path)) for path in request["inputs"].values()]
        outputs = [client.output(graph, name) for name in request["outputs"].values()]
        try:
            answers = client.run(session, inputs, tensors, outputs)
        except Refusal as refusal:
            messages.append(str(refusal))
        else:
            messages.append(None)
            arrays |= {f"{number}/{name}": answer for name, answer in zip(request["outputs"], answers, strict=True)}
    np.savez("outputs.npz", **arrays)
    with open("messages.json", "w", encoding="utf-8") as file:
        json.dump(messages, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
