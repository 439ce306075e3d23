#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "image_codec.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/image.hpp"

namespace ocellus {
namespace codec {
namespace {

// As in image_jpeg.cpp: libpng's error callback jumps, and nothing with a destructor lives in the
// frames between.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const unsigned char* at = nullptr;
  size_t left = 0;
  char message[128] = "";
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

void fail(png_structp png, png_const_charp message) {
  auto& d = *static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(d.message, message, sizeof d.message - 1);
  png_longjmp(png, 1);
}

void read_bytes(png_structp png, png_bytep to, size_t n) {
  auto& d = *static_cast<Decoder*>(png_get_io_ptr(png));
  if (n > d.left) png_error(png, "ends too early");
  std::memcpy(to, d.at, n);
  d.at += n;
  d.left -= n;
}

bool open(Decoder& d) {
  d.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, fail, [](png_structp, png_const_charp) {});
  if (!d.png) return false;
  if (setjmp(png_jmpbuf(d.png))) return false;
  d.info = png_create_info_struct(d.png);
  if (!d.info) png_error(d.png, "out of memory");
  png_set_read_fn(d.png, &d, read_bytes);
  // Comments, profiles and the like are not wanted, so none can be a bomb.
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_set_chunk_cache_max(d.png, 64);
  png_set_chunk_malloc_max(d.png, 8 << 20);
  png_read_info(d.png, d.info);
  png_set_expand(d.png);    // palettes, 1 to 4 bits, transparent colours
  png_set_scale_16(d.png);  // 16 bits
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  return true;
}

bool read_rows(Decoder& d, png_bytep* rows) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_read_image(d.png, rows);
  png_read_end(d.png, nullptr);
  return true;
}

// The last channel is opacity: what it lets through is white.
Array on_white(const Array& image) {
  const int channels = image.shape().channels(), colours = channels - 1;
  Array out(Shape({image.shape()[0], image.shape()[1], colours}), DType::u8);
  const auto from = image.u8();
  const auto to = out.u8();
  for (size_t i = 0; i < to.size() / static_cast<size_t>(colours); ++i) {
    const int alpha = from[(i + 1) * static_cast<size_t>(channels) - 1];
    for (int c = 0; c < colours; ++c) {
      const int v = from[i * static_cast<size_t>(channels) + static_cast<size_t>(c)];
      to[i * static_cast<size_t>(colours) + static_cast<size_t>(c)] =
          static_cast<uint8_t>((v * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return out;
}

}  // namespace

bool is_png(std::span<const std::byte> b) {
  return b.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(b.data()), 0, 8) == 0;
}

Array decode_png(std::span<const std::byte> bytes, const std::string& name) {
  Decoder d;
  d.at = reinterpret_cast<const unsigned char*>(bytes.data());
  d.left = bytes.size();
  const auto damaged = [&] {
    return DataError(fmt::format("{}: damaged or truncated PNG: {}", name, d.message));
  };
  if (!open(d)) throw damaged();
  const auto height = png_get_image_height(d.png, d.info),
             width = png_get_image_width(d.png, d.info);
  check_extent(height, width, name);
  const int channels = png_get_channels(d.png, d.info);
  Array pixels(Shape({static_cast<int>(height), static_cast<int>(width), channels}), DType::u8);
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < height; ++y)
    rows[y] = pixels.u8().data() + y * width * static_cast<size_t>(channels);
  if (!read_rows(d, rows.data())) throw damaged();
  return channels == 2 || channels == 4 ? on_white(pixels) : pixels;
}

}  // namespace codec

std::vector<std::byte> encode_png(const Array& image) {
  const Shape& s = image.shape();
  const int channels = s.rank() == 2 ? 1 : s.rank() == 3 ? s[2] : 0;
  if ((channels != 1 && channels != 3 && channels != 4) || image.empty())
    throw Error(fmt::format(
        "an array of shape {} is no picture; expected (H, W, C) with C = 1, 3 or 4", s.str()));
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.height = static_cast<png_uint_32>(s[0]);
  png.width = static_cast<png_uint_32>(s[1]);
  png.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  std::vector<std::byte> out(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t size = out.size();
  if (!png_image_write_to_memory(&png, out.data(), &size, 0, image.u8().data(), 0, nullptr))
    throw Error(fmt::format("a picture of {} cannot be encoded: {}", s.str(), png.message));
  out.resize(size);
  return out;
}

void write_png(const std::filesystem::path& file, const Array& image) {
  write_atomically(file, encode_png(image));
}

}  // namespace ocellus
