// Pictures: known pixels through the codecs' own writers, definitions of resizing, damaged files.
#include <cstdio>
// jpeglib.h wants FILE first.
#include <jpeglib.h>
#include <png.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/image.hpp"
#include "temporary.hpp"

using namespace ocellus;
using test::says;

namespace {

// A smooth picture, so that JPEG keeps it nearly.
Array smooth(int h, int w, int c) {
  Array a(Shape({h, w, c}), DType::u8);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      for (int k = 0; k < c; ++k)
        a.u8()[(static_cast<size_t>(y) * w + x) * c + k] =
            static_cast<uint8_t>(60 + 3 * y + 2 * x * (k + 1) % 120 + 10 * k);
  return a;
}

std::vector<std::byte> jpeg_of(const Array& image, J_COLOR_SPACE space, bool progressive = false) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &out, &size);
  jpeg.image_height = static_cast<JDIMENSION>(image.shape()[0]);
  jpeg.image_width = static_cast<JDIMENSION>(image.shape()[1]);
  jpeg.input_components = image.shape()[2];
  jpeg.in_color_space = space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  const size_t stride = static_cast<size_t>(image.shape()[1]) * image.shape()[2];
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(image.u8().data() + stride * jpeg.next_scanline);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  const auto* bytes = reinterpret_cast<std::byte*>(out);
  std::vector<std::byte> result(bytes, bytes + size);
  free(out);
  return result;
}

// PNG of any kind through libpng's plain interface. `rows` are packed as the format says.
std::vector<std::byte> png_of(int h, int w, int depth, int colour,
                              const std::vector<std::vector<uint8_t>>& rows,
                              bool interlaced = false,
                              const std::function<void(png_structp, png_infop)>& more = {}) {
  std::vector<std::byte> out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, size_t n) {
        auto& out = *static_cast<std::vector<std::byte>*>(png_get_io_ptr(p));
        out.insert(out.end(), reinterpret_cast<std::byte*>(data),
                   reinterpret_cast<std::byte*>(data) + n);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(w), static_cast<png_uint_32>(h), depth, colour,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (more) more(png, info);
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  for (const auto& r : rows) pointers.push_back(const_cast<png_bytep>(r.data()));
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::vector<uint8_t> pixels(const Array& a) { return {a.u8().begin(), a.u8().end()}; }

}  // namespace

BOOST_AUTO_TEST_CASE(png_round_trip_is_exact) {
  for (const Shape& s :
       {Shape({1, 1, 1}), Shape({5, 3, 1}), Shape({2, 7, 3}), Shape({64, 33, 3})}) {
    Array a(s, DType::u8);
    for (size_t i = 0; i < a.u8().size(); ++i) a.u8()[i] = static_cast<uint8_t>(i * 37 + 11);
    const Array b = decode_image(encode_png(a), "x");
    BOOST_TEST((b.shape() == s));
    BOOST_TEST(pixels(a) == pixels(b), boost::test_tools::per_element());
  }
  Array rgba(Shape({1, 3, 4}), DType::u8);
  const uint8_t values[] = {10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128};
  std::copy(std::begin(values), std::end(values), rgba.u8().begin());
  BOOST_TEST(pixels(decode_image(encode_png(rgba), "x")) ==
                 (std::vector<uint8_t>{10, 20, 30, 255, 255, 255, 127, 177, 255}),
             boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(encode_png(Array(Shape({2, 2, 2}), DType::u8)), Error, says("(2, 2, 2)"));
}

BOOST_AUTO_TEST_CASE(png_of_every_kind) {
  // 1 bit: 1010 0000 0 -> 9 pixels over two bytes.
  const auto bits = decode_image(png_of(1, 9, 1, PNG_COLOR_TYPE_GRAY, {{0xa0, 0x80}}), "x");
  BOOST_TEST((bits.shape() == Shape({1, 9, 1})));
  BOOST_TEST(pixels(bits) == (std::vector<uint8_t>{255, 0, 255, 0, 0, 0, 0, 0, 255}),
             boost::test_tools::per_element());
  // 16 bit: big endian; 0x8000 -> round(32768 / 257) = 128.
  const auto deep = decode_image(
      png_of(1, 3, 16, PNG_COLOR_TYPE_GRAY, {{0x00, 0x00, 0x80, 0x00, 0xff, 0xff}}), "x");
  BOOST_TEST(pixels(deep) == (std::vector<uint8_t>{0, 128, 255}), boost::test_tools::per_element());
  // Palette of three colours, the last of them half transparent.
  const auto palette = [](png_structp p, png_infop i) {
    const png_color colours[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 200}};
    const png_byte alpha[] = {255, 255, 128};
    png_set_PLTE(p, i, colours, 3);
    png_set_tRNS(p, i, alpha, 3, nullptr);
  };
  const auto indexed = decode_image(
      png_of(1, 4, 2, PNG_COLOR_TYPE_PALETTE, {{0x1a}}, false, palette), "x");  // 0 1 2 2
  BOOST_TEST(
      pixels(indexed) == (std::vector<uint8_t>{255, 0, 0, 0, 255, 0, 127, 127, 227, 127, 127, 227}),
      boost::test_tools::per_element());
  // Interlaced.
  const Array a = smooth(13, 11, 3);
  std::vector<std::vector<uint8_t>> rows;
  for (int y = 0; y < 13; ++y)
    rows.emplace_back(a.u8().begin() + y * 33, a.u8().begin() + (y + 1) * 33);
  BOOST_TEST(
      pixels(decode_image(png_of(13, 11, 8, PNG_COLOR_TYPE_RGB, rows, true), "x")) == pixels(a),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(jpeg_of_every_kind) {
  const auto near = [](const Array& a, const Array& b) {
    BOOST_REQUIRE((a.shape() == b.shape()));
    double sum = 0;
    for (size_t i = 0; i < a.u8().size(); ++i) sum += std::abs(a.u8()[i] - b.u8()[i]);
    return sum / static_cast<double>(a.u8().size());
  };
  const Array grey = smooth(19, 37, 1), rgb = smooth(19, 37, 3);
  BOOST_TEST(near(decode_image(jpeg_of(grey, JCS_GRAYSCALE), "x"), grey) < 1.5);
  BOOST_TEST(near(decode_image(jpeg_of(rgb, JCS_RGB), "x"), rgb) < 4);
  BOOST_TEST(near(decode_image(jpeg_of(rgb, JCS_RGB, true), "x"), rgb) < 4);
  // libjpeg writes an Adobe marker with CMYK, so values are inverted ink: 255 is none. Cyan 100 of
  // 255, black 200 of 255.
  Array cmyk(Shape({16, 16, 4}), DType::u8);
  for (size_t i = 0; i < cmyk.u8().size(); i += 4) {
    const uint8_t ink[] = {100, 255, 255, 200};
    std::copy(ink, ink + 4, cmyk.u8().begin() + static_cast<std::ptrdiff_t>(i));
  }
  const Array light = decode_image(jpeg_of(cmyk, JCS_CMYK), "x");
  BOOST_TEST((light.shape() == Shape({16, 16, 3})));
  BOOST_TEST(std::abs(light.u8()[0] - 100 * 200 / 255) <= 2);
  BOOST_TEST(std::abs(light.u8()[1] - 200) <= 2);
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused_by_name) {
  const Array a = smooth(40, 52, 3);
  const std::vector<std::byte> files[] = {jpeg_of(a, JCS_RGB), jpeg_of(a, JCS_RGB, true),
                                          encode_png(a)};
  for (const auto& whole : files) {
    BOOST_REQUIRE((decode_image(whole, "whole").shape() == a.shape()));
    // The last two bytes of a JPEG say only that it ends.
    for (size_t length = 0; length + 2 < whole.size(); length += 1 + whole.size() / 97)
      BOOST_CHECK_EXCEPTION(decode_image(std::span(whole).first(length), "cut.img"), DataError,
                            says("cut.img"));
    uint32_t state = 7;
    int refused = 0;
    for (int round = 0; round < 400; ++round) {
      auto bytes = whole;
      for (int i = 0; i < 3; ++i) {
        state = state * 1664525 + 1013904223;
        bytes[(state >> 8) % bytes.size()] ^= static_cast<std::byte>(1 + (state >> 3) % 255);
      }
      try {
        decode_image(bytes, "flipped.img");
      } catch (const DataError& e) {
        BOOST_TEST(says("flipped.img")(e));
        ++refused;
      }
    }
    BOOST_TEST(refused > 100);
  }
  const std::string text = "GIF89a and more";
  BOOST_CHECK_EXCEPTION(decode_image(std::as_bytes(std::span(text)), "a.jpg"), DataError,
                        says("a.jpg: is neither JPEG nor PNG"));
  BOOST_CHECK_EXCEPTION(decode_image({}, "a.jpg"), DataError, says("a.jpg: is empty"));
}

BOOST_AUTO_TEST_CASE(size_bombs_are_refused) {
  auto png = encode_png(Array(Shape({1, 1, 3}), DType::u8));
  // IHDR: width at byte 16, checksum over type and data at byte 29.
  for (size_t i = 16; i < 24; i += 4)
    png[i] = std::byte{0}, png[i + 1] = std::byte{0}, png[i + 2] = std::byte{0xea},
    png[i + 3] = std::byte{0x60};
  const uint32_t crc = static_cast<uint32_t>(
      std::stoul(checksum(std::span(png).subspan(12, 17)).substr(6), nullptr, 16));
  for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<std::byte>(crc >> (24 - 8 * i));
  BOOST_CHECK_EXCEPTION(decode_image(png, "bomb.png"), DataError,
                        says("claims 60000 x 60000 pixels"));
  auto jpeg = jpeg_of(smooth(8, 8, 3), JCS_RGB);
  for (size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == std::byte{0xff} &&
        jpeg[i + 1] == std::byte{0xc0})  // SOF0: height and width at 5
      for (size_t k = 5; k < 9; ++k) jpeg[i + k] = std::byte{k % 2 ? uint8_t{0xea} : uint8_t{0x60}};
  BOOST_CHECK_EXCEPTION(decode_image(jpeg, "bomb.jpg"), DataError,
                        says("claims 60000 x 60000 pixels"));
}

BOOST_AUTO_TEST_CASE(resizing_follows_its_definition) {
  // A linear ramp stays linear where the triangle does not meet the border.
  Array ramp(Shape({1, 16, 1}), DType::f32);
  for (int x = 0; x < 16; ++x) ramp.f32()[x] = static_cast<float>(x) + 0.5f;
  for (const int w : {4, 8, 31, 64}) {
    const Array r = resize(ramp, 1, w);
    const double scale = 16.0 / w, support = std::max(1.0, scale);
    for (int x = 0; x < w; ++x) {
      const double centre = (x + 0.5) * scale;
      if (centre >= support && centre <= 16 - support)
        BOOST_TEST(std::abs(r.f32()[x] - centre) < 1e-5);
    }
  }
  // Halving by the triangle filter: weights 1, 3, 3, 1 of 8 (Pillow's bilinear reduces so).
  const Array half = resize(ramp, 1, 8);
  BOOST_TEST(half.f32()[2] == (3.5f + 3 * 4.5f + 3 * 5.5f + 6.5f) / 8,
             boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(half.f32()[0] == (3 * 0.5f + 3 * 1.5f + 2.5f) / 7,
             boost::test_tools::tolerance(1e-6f));
  // A constant stays constant, in both axes, on every size.
  Array flat(Shape({13, 7, 3}), DType::u8);
  for (auto& v : flat.u8()) v = 201;
  for (const auto& [h, w] : {std::pair(1, 1), std::pair(29, 3), std::pair(5, 64)}) {
    const Array resized = resize(flat, h, w);
    for (uint8_t v : resized.u8()) BOOST_REQUIRE(v == 201);
  }
  // Rows and columns are not mixed up: y-ramp in one channel, x-ramp in the other.
  Array both(Shape({6, 4, 2}), DType::f32);
  for (int y = 0; y < 6; ++y)
    for (int x = 0; x < 4; ++x)
      both.f32()[(y * 4 + x) * 2] = static_cast<float>(y),
                               both.f32()[(y * 4 + x) * 2 + 1] = static_cast<float>(x);
  const Array wide = resize(both, 6, 8);
  BOOST_TEST(wide.f32()[(5 * 8 + 3) * 2] == 5.0f, boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(wide.f32()[(5 * 8 + 3) * 2 + 1] == 1.25f, boost::test_tools::tolerance(1e-6f));
  const Array near = resize(both, 12, 2, Interpolation::nearest);
  BOOST_TEST(near.f32()[(7 * 2 + 1) * 2] == 3.0f);
  BOOST_TEST(near.f32()[(7 * 2 + 1) * 2 + 1] == 3.0f);
}

BOOST_AUTO_TEST_CASE(fits_by_rule) {
  Array image(Shape({4, 8, 1}), DType::u8);
  for (int i = 0; i < 32; ++i) image.u8()[i] = static_cast<uint8_t>(1 + i);
  const Array crop = fit(image, 4, 4, Fit::crop);  // columns 2 to 5
  BOOST_TEST(pixels(crop) ==
                 (std::vector<uint8_t>{3, 4, 5, 6, 11, 12, 13, 14, 19, 20, 21, 22, 27, 28, 29, 30}),
             boost::test_tools::per_element());
  const Array pad = fit(image, 8, 8, Fit::pad);  // two black rows above and below
  BOOST_TEST((pad.shape() == Shape({8, 8, 1})));
  for (int i = 0; i < 64; ++i)
    BOOST_TEST(int(pad.u8()[i]) == (i < 16 || i >= 48 ? 0 : int(image.u8()[i - 16])));
  BOOST_TEST((fit(image, 3, 5, Fit::stretch).shape() == Shape({3, 5, 1})));
  BOOST_TEST((fit(image, 1, 7, Fit::pad).shape() == Shape({1, 7, 1})));
  BOOST_TEST((fit(image, 7, 1, Fit::crop).shape() == Shape({7, 1, 1})));
  BOOST_CHECK_EXCEPTION(fit_of("crp"), UsageError, says("did you mean 'crop'"));
}

BOOST_AUTO_TEST_CASE(converts_channels_and_values) {
  Array rgb(Shape({1, 2, 3}), DType::u8);
  const uint8_t v[] = {255, 0, 0, 10, 200, 30};
  std::copy(std::begin(v), std::end(v), rgb.u8().begin());
  BOOST_TEST(pixels(with_channels(rgb, 1)) == (std::vector<uint8_t>{76, 124}),
             boost::test_tools::per_element());
  Array grey(Shape({1, 2, 1}), DType::u8);
  grey.u8()[1] = 9;
  BOOST_TEST(pixels(with_channels(grey, 3)) == (std::vector<uint8_t>{0, 0, 0, 9, 9, 9}),
             boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(with_channels(grey, 2), ShapeError, says("1 channels"));
  const Array f(Shape({6}),
                std::vector<float>{-1, 0, 0.5f, 1, 7, std::numeric_limits<float>::quiet_NaN()});
  BOOST_TEST(pixels(to_u8(f)) == (std::vector<uint8_t>{0, 0, 128, 255, 255, 0}),
             boost::test_tools::per_element());
}
