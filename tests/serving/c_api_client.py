"""A client of TensorFlow's C API without TensorFlow's Python package: runs the density of a SavedModel.

Arguments: the library, the SavedModel, the tensors of hi_map, theta and log_prob. Reads hi_map.npy and theta.npy in the
working folder, and writes output.npy.
"""

import ctypes
import sys

import numpy as np

_FLOAT = 1  # TF_FLOAT of c_api.h


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
        """Ends the process with TensorFlow's message if the last call failed."""
        if self.call("TF_GetCode", ctypes.c_void_p(self.status), restype=ctypes.c_int):
            sys.exit(self.call("TF_Message", ctypes.c_void_p(self.status), restype=ctypes.c_char_p).decode())

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
        """A TF_Tensor with a copy of a float32 array."""
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        num_bytes = ctypes.c_size_t(array.nbytes)
        tensor = self.call("TF_AllocateTensor", _FLOAT, dims, array.ndim, num_bytes, restype=ctypes.c_void_p)
        data = self.call("TF_TensorData", ctypes.c_void_p(tensor), restype=ctypes.c_void_p)
        ctypes.memmove(data, array.tobytes(), array.nbytes)
        return tensor

    def run(self, session, inputs, tensors, output, num_rows):
        """One float32 output `[num_rows]`."""
        results = (ctypes.c_void_p * 1)()
        self.call(
            "TF_SessionRun",
            ctypes.c_void_p(session),
            None,
            (Output * len(inputs))(*inputs),
            (ctypes.c_void_p * len(tensors))(*tensors),
            len(inputs),
            (Output * 1)(output),
            results,
            1,
            None,
            0,
            None,
            ctypes.c_void_p(self.status),
        )
        self.check()
        data = self.call("TF_TensorData", ctypes.c_void_p(results[0]), restype=ctypes.c_void_p)
        return np.frombuffer(ctypes.string_at(data, 4 * num_rows), dtype=np.float32)


def main(library, directory, hi_map_name, theta_name, log_prob_name):
    """Runs the density on the two files."""
    client = Client(library)
    session, graph = client.load(directory)
    arrays = [np.load("hi_map.npy"), np.load("theta.npy")]
    inputs = [client.output(graph, name) for name in (hi_map_name, theta_name)]
    tensors = [client.tensor(array) for array in arrays]
    np.save("output.npy", client.run(session, inputs, tensors, client.output(graph, log_prob_name), len(arrays[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
