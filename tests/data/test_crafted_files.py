"""Files of maps that were made to mislead: links to other files, sizes that are not there, types that run code."""

import os

import h5py
import numpy as np
import pytest

from higlow_tf.data import load_maps_only
from higlow_tf.data.hdf5 import read_hdf5
from higlow_tf.data.npy_files import open_npy
from higlow_tf.errors import InputError

SHAPE = (3, 4, 4)


@pytest.fixture
def maps(rng):
    return (10.0 ** rng.normal(6.5, 0.4, SHAPE)).astype(np.float32)


@pytest.fixture
def other(tmp_path):
    """A file that belongs to somebody else."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["maps"] = np.full(SHAPE, 7.0, np.float32)
    (tmp_path / "raw.bin").write_bytes(np.full(SHAPE, 7.0, np.float32).tobytes())
    return tmp_path / "other.h5"


def external_link(file, other):
    file["maps"] = h5py.ExternalLink(str(other), "/maps")


def soft_link_out_of_the_file(file, other):
    file["door"] = h5py.ExternalLink(str(other), "/")
    file["maps"] = h5py.SoftLink("/door/maps")


def virtual_dataset(file, other):
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(str(other), "maps", SHAPE)
    file.create_virtual_dataset("maps", layout)


def external_storage(file, other):
    size = 4 * int(np.prod(SHAPE))
    file.create_dataset("maps", SHAPE, "f4", external=[(str(other.parent / "raw.bin"), 0, size)])


def soft_links_in_a_circle(file, other):
    file["maps"], file["back"] = h5py.SoftLink("/back"), h5py.SoftLink("/maps")


def link_to_nothing(file, other):
    file["maps"] = h5py.SoftLink("/absent")


def parameters_by_a_link_to_nothing(file, other):
    file["maps"], file["theta"] = np.ones(SHAPE, np.float32), h5py.SoftLink("/absent")


def objects(file, other):
    file.create_dataset("maps", SHAPE, h5py.string_dtype())


def records(file, other):
    file.create_dataset("maps", SHAPE, [("a", "f4"), ("b", "f4")])


def compressed_terabytes(file, other):
    file.create_dataset("maps", (10**8, 160, 160), "f4", chunks=(1, 160, 160), compression="gzip")


def terabytes_in_one_piece(file, other):
    file.create_dataset("maps", (10**8, 160, 160), "f4")


def a_name_as_redshift(file, other):
    file["maps"] = np.ones(SHAPE, np.float32)
    file.attrs["redshift"] = "six"


def no_number_as_box(file, other):
    file["maps"] = np.ones(SHAPE, np.float32)
    file.attrs["box_size_mpc_h"] = np.nan


def simulations_beyond_int64(file, other):
    file["maps"], file["theta"] = np.ones(SHAPE, np.float32), np.full((3, 2), 0.7)
    file["simulation"] = np.array([1, 2, 2**64 - 1], np.uint64)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (external_link, "'maps' itself. Received: a link to another file"),
        (soft_link_out_of_the_file, "'maps' itself. Received: a link to another file"),
        (virtual_dataset, "'maps' itself. Received: an array whose numbers are in other files"),
        (external_storage, "'maps' itself. Received: an array whose numbers are in other files"),
        (soft_links_in_a_circle, "'maps' itself. Received: a link that leads nowhere"),
        (link_to_nothing, "'maps' itself. Received: a link that leads nowhere"),
        (parameters_by_a_link_to_nothing, "'theta' itself. Received: a link that leads nowhere"),
        (objects, "'maps' as numbers. Received: dtype object"),
        (records, "'maps' as numbers. Received: dtype"),
        (compressed_terabytes, r"'maps' whole, at most 100 times.*Received: 9.54e\+03 GiB in a file of \d+ bytes"),
        (terabytes_in_one_piece, "'maps' whole, at most 100 times.*Received: 9.54e"),
        (a_name_as_redshift, "a number as its attribute redshift. Received: 'six'"),
        (no_number_as_box, "a number as its attribute box_size_mpc_h. Received:.*nan"),
        (simulations_beyond_int64, r"integers below 2\*\*63. Received: 18446744073709551615"),
    ],
)
def test_an_hdf5_file_that_misleads_is_refused(tmp_path, other, make, words):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        make(file, other)
    with pytest.raises(InputError, match=rf"maps\.h5 must h[a-z]+ .*{words}"):
        read_hdf5(tmp_path / "maps.h5")


def test_links_inside_the_file_are_followed(tmp_path, maps):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["raw/maps"] = maps
        file["maps"] = h5py.SoftLink("/raw/maps")
    np.testing.assert_array_equal(read_hdf5(tmp_path / "maps.h5").maps, maps)


def test_floats_that_numpy_does_not_have_are_converted(tmp_path, maps):
    """Three bytes a number: HDF5 knows what they mean, a memory map does not."""
    short = h5py.h5t.IEEE_F32LE.copy()
    short.set_fields(23, 15, 8, 0, 15)
    short.set_size(3)
    short.set_ebias(127)
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        space = h5py.h5s.create_simple(SHAPE)
        dataset = h5py.h5d.create(file.id, b"maps", short, space)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, maps)
    np.testing.assert_allclose(read_hdf5(tmp_path / "maps.h5").maps, maps, rtol=2.0**-15)


def npy(header, content=bytes(1000)):
    length = len(header) + 1
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + header.encode() + b"\n" + content


def header(shape="(3, 4, 4)", descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(header("(-1, 4, 4)")), r"Received: shape \(-1, 4, 4\)"),
        (npy(header("(-3, -4, 4)")), r"Received: shape \(-3, -4, 4\)"),
        (npy(header("(4000000000, 4000000000, 4000000000)")), r"Received: 1000 bytes of the 256\d+ of shape"),
        (npy(header(f"({10**30}, 4, 4)")), "Received: 1000 bytes of the"),
        (npy(header("(3, 4, 4)"), bytes(100)), "Received: 100 bytes of the 192"),
        (npy(header(descr="'|O'")), "Received: an array of objects"),
        (npy(header(descr="[('a', '|O')]")), "Received: an array of objects"),
        (npy(header(descr="'<c8'")), "floating-point maps. Received: dtype complex64"),
        (npy(header(descr="'<f3'")), "Received: "),
        (npy(header("(3.0, 4, 4)")), "Received: shape is not valid"),
        (npy(header("(" * 300)), "Received: "),
        (npy("'''"), "Received: "),
        (npy("{'descr'"), "Received: "),
        (b"\x93NUMPY\x09\x00" + bytes(200), "Received: "),
        (b"\x93NUMPY\x01\x00\xff\xff", "Received: "),
        (b"\x93NUMPY", "Received: "),
    ],
)
def test_an_npy_file_that_misleads_is_refused(tmp_path, content, words):
    (tmp_path / "maps.npy").write_bytes(content)
    with pytest.raises(InputError, match=rf"maps\.npy must .*{words}"):
        open_npy(tmp_path / "maps.npy")


@pytest.mark.parametrize("name", ["maps.npy", "maps.h5"])
def test_what_is_no_file_does_not_hang(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} must be .*Received: something else than a file"):
        load_maps_only(tmp_path / name)
