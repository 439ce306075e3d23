#include <csetjmp>
#include <cstdio>
// jpeglib.h wants size_t and FILE first.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>

#include "image_codec.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::codec {
namespace {

// A progressive file may hold thousands of scans of a few bytes that each cost a pass over the
// image.
constexpr int most_scans = 500;

// libjpeg reports through callbacks that must not return. They jump; nothing with a destructor
// lives in the frames between.
struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX] = "";
};

Decoder& decoder_of(j_common_ptr jpeg) { return *static_cast<Decoder*>(jpeg->client_data); }

[[noreturn]] void fail(j_common_ptr jpeg) {
  Decoder& d = decoder_of(jpeg);
  jpeg->err->format_message(jpeg, d.message);
  std::longjmp(d.failed, 1);
}

// Warnings that mean lost pixels are errors here; oddities of writers (bytes between segments) are
// not.
void warn(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      fail(jpeg);
    default:
      break;
  }
}

void watch(j_common_ptr jpeg) {
  if (jpeg->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > most_scans) {
    jpeg->err->msg_code = JERR_BAD_PROGRESSION;
    fail(jpeg);
  }
}

bool open(Decoder& d, std::span<const std::byte> bytes) {
  d.jpeg.err = jpeg_std_error(&d.errors);
  d.jpeg.client_data = &d;
  d.errors.error_exit = fail;
  d.errors.emit_message = warn;
  d.errors.output_message = [](j_common_ptr) {};
  d.progress.progress_monitor = watch;
  if (setjmp(d.failed)) return false;
  jpeg_create_decompress(&d.jpeg);
  d.jpeg.client_data = &d;
  d.jpeg.progress = &d.progress;
  jpeg_mem_src(&d.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&d.jpeg, TRUE);
  const J_COLOR_SPACE space = d.jpeg.jpeg_color_space;
  if (space == JCS_GRAYSCALE)
    d.jpeg.out_color_space = JCS_GRAYSCALE;
  else if (space == JCS_CMYK || space == JCS_YCCK)
    d.jpeg.out_color_space = JCS_CMYK;
  else
    d.jpeg.out_color_space = JCS_RGB;
  return true;
}

bool read_rows(Decoder& d, uint8_t* pixels) {
  if (setjmp(d.failed)) return false;
  jpeg_start_decompress(&d.jpeg);
  const size_t stride = size_t{d.jpeg.output_width} * static_cast<size_t>(d.jpeg.output_components);
  while (d.jpeg.output_scanline < d.jpeg.output_height) {
    JSAMPROW row = pixels + stride * d.jpeg.output_scanline;
    jpeg_read_scanlines(&d.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&d.jpeg);
  return true;
}

// Adobe stores CMYK inverted, and so does nearly everyone who stores CMYK.
Array rgb_of_cmyk(const Array& cmyk, bool inverted) {
  Array out(Shape({cmyk.shape()[0], cmyk.shape()[1], 3}), DType::u8);
  const auto from = cmyk.u8();
  const auto to = out.u8();
  const auto light = [&](uint8_t v) { return inverted ? v : 255 - v; };
  for (size_t i = 0; i < to.size() / 3; ++i)
    for (size_t c = 0; c < 3; ++c)
      to[3 * i + c] =
          static_cast<uint8_t>((light(from[4 * i + c]) * light(from[4 * i + 3]) + 127) / 255);
  return out;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> b) {
  return b.size() >= 3 && b[0] == std::byte{0xff} && b[1] == std::byte{0xd8} &&
         b[2] == std::byte{0xff};
}

Array decode_jpeg(std::span<const std::byte> bytes, const std::string& name) {
  Decoder d;
  const struct Closer {
    jpeg_decompress_struct* jpeg;
    ~Closer() { jpeg_destroy_decompress(jpeg); }
  } closer{&d.jpeg};
  const auto damaged = [&] {
    return DataError(fmt::format("{}: damaged or truncated JPEG: {}", name, d.message));
  };
  if (!open(d, bytes)) throw damaged();
  check_extent(d.jpeg.image_height, d.jpeg.image_width, name);
  const int channels = d.jpeg.out_color_space == JCS_GRAYSCALE ? 1
                       : d.jpeg.out_color_space == JCS_CMYK    ? 4
                                                               : 3;
  Array pixels(Shape({static_cast<int>(d.jpeg.image_height), static_cast<int>(d.jpeg.image_width),
                      channels}),
               DType::u8);
  if (!read_rows(d, pixels.u8().data())) throw damaged();
  return channels == 4 ? rgb_of_cmyk(pixels, d.jpeg.saw_Adobe_marker) : pixels;
}

}  // namespace ocellus::codec
