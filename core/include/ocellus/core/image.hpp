#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ocellus/core/array.hpp"

namespace ocellus {

// Pictures are arrays (H, W, C) of u8, C = 1 (grey) or 3 (red, green, blue), row 0 on top.

/// Decodes JPEG or PNG, told apart by content. Grey stays one channel; palettes, 1 to 16 bits, CMYK
/// are brought to 8-bit grey or RGB; transparency is laid on white. The orientation that a camera
/// stores (EXIF) and colour profiles are ignored, as Keras does. Throws DataError naming `name` on
/// anything else, on truncated or damaged data, and beyond 2^27 pixels.
OCELLUS_API Array decode_image(std::span<const std::byte> bytes, const std::string& name);
OCELLUS_API Array read_image(const std::filesystem::path& file);

/// PNG of a u8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
OCELLUS_API std::vector<std::byte> encode_png(const Array& image);
OCELLUS_API void write_png(const std::filesystem::path& file, const Array& image);

/// Values in 0..1 to 0..255, rounded and clamped (NaN gives 0); u8 passes.
OCELLUS_API Array to_u8(const Array& image);
/// Grey repeated three times, or RGB to luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B).
OCELLUS_API Array with_channels(const Array& image, int channels);

enum class Interpolation {
  nearest,   ///< the pixel under the centre
  bilinear,  ///< a triangle as wide as the larger of a source and a target pixel: smooth up,
             ///< without aliasing down (as Pillow)
};
/// An image (H, W, C) of u8 or f32, any C, at another size; pixel centres lie at half-integers.
OCELLUS_API Array resize(const Array& image, int height, int width,
                         Interpolation interpolation = Interpolation::bilinear);

/// What to do with an image of another shape than the network's input.
enum class Fit {
  stretch,  ///< both axes on their own
  crop,     ///< the largest centred window of the target's shape (Keras: crop_to_aspect_ratio)
  pad,      ///< all of it, centred, with black bars (Keras: pad_to_aspect_ratio)
};
/// "stretch", "crop", "pad". Throws UsageError with the nearest known word.
OCELLUS_API Fit fit_of(const std::string& name);
OCELLUS_API Array fit(const Array& image, int height, int width, Fit how,
                      Interpolation interpolation = Interpolation::bilinear);

}  // namespace ocellus
