#pragma once

#include "h5_handle.hpp"
#include "ocellus/core/byte_source.hpp"

namespace ocellus::h5 {

/// Opens the HDF5 file that a source holds, for reading: a file driver of HDF5 (a "VFD") that asks
/// the source for what HDF5 wants to see, so that an archive's entry need not be unpacked. Throws
/// DataError.
Handle open_source(const ByteSource& source);

}  // namespace ocellus::h5
