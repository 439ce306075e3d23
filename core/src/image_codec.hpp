#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ocellus/core/array.hpp"

namespace ocellus::codec {

/// Refused beyond: a file of some bytes may claim any size.
inline constexpr uint64_t largest_image = uint64_t{1} << 27;  // pixels

bool is_jpeg(std::span<const std::byte> bytes);
bool is_png(std::span<const std::byte> bytes);
Array decode_jpeg(std::span<const std::byte> bytes, const std::string& name);
Array decode_png(std::span<const std::byte> bytes, const std::string& name);

/// Throws DataError where an image has no pixels or too many.
void check_extent(uint64_t height, uint64_t width, const std::string& name);

}  // namespace ocellus::codec
