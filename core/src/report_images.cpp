#include "report_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "ocellus/core/error.hpp"
#include "ocellus/core/image.hpp"

namespace ocellus {
namespace {

using Colour = std::array<double, 3>;

// Blue, white, red; and a ramp of even lightness steps (viridis, CC0) that the colour-blind read
// too.
constexpr Colour signed_ramp[] = {
    {33, 71, 148}, {92, 143, 205}, {247, 247, 247}, {222, 103, 83}, {160, 20, 36}};
constexpr Colour unsigned_ramp[] = {{68, 1, 84},    {71, 45, 123},  {59, 82, 139},
                                    {44, 114, 142}, {33, 145, 140}, {40, 174, 128},
                                    {94, 201, 98},  {173, 220, 48}, {253, 231, 37}};

std::span<const Colour> ramp(bool is_signed) {
  return is_signed ? std::span<const Colour>(signed_ramp) : std::span<const Colour>(unsigned_ramp);
}

// Colour at t in 0..1.
void write_colour(std::span<const Colour> ramp, double t, uint8_t* to) {
  const double at = std::clamp(t, 0.0, 1.0) * static_cast<double>(ramp.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), ramp.size() - 2);
  for (int c = 0; c < 3; ++c)
    to[c] = static_cast<uint8_t>(
        std::lround(ramp[i][c] + (at - static_cast<double>(i)) * (ramp[i + 1][c] - ramp[i][c])));
}

std::string base64(std::span<const std::byte> bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < n ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::vector<float> sum_channels(const Array& map) {
  const int channels = map.shape().rank() == 3 ? map.shape()[2] : 1;
  const Array values = map.to_f32();
  std::vector<float> sums(values.f32().size() / std::max(channels, 1));
  for (size_t i = 0; i < sums.size(); ++i)
    for (int c = 0; c < channels; ++c) sums[i] += values.f32()[i * channels + c];
  return sums;
}

}  // namespace

Array for_display(const Array& image) {
  if (image.shape().rank() < 2)
    throw Error(fmt::format("a picture has height and width, not shape {}", image.shape().str()));
  const int h = image.shape()[0], w = image.shape()[1];
  const int channels = image.shape().rank() == 2 ? 1 : image.shape()[2],
            shown = channels == 3 ? 3 : 1;
  Array out(Shape{h, w, shown}, DType::u8);
  const auto to = out.u8();
  const bool bytes = image.type() == DType::u8;
  const Array values = image.to_f32();
  for (size_t i = 0; i < static_cast<size_t>(h) * w; ++i)
    for (int c = 0; c < shown; ++c) {
      const float v = values.f32()[i * channels + c] * (bytes ? 1.0f : 255.0f);
      to[i * shown + c] =
          std::isnan(v) ? 0 : static_cast<uint8_t>(std::lround(std::clamp(v, 0.0f, 255.0f)));
    }
  return out;
}

ColouredMap colour(const Attribution& attribution) {
  const std::vector<float> values = sum_channels(attribution.map);
  std::vector<float> sizes;
  for (float v : values)
    if (std::isfinite(v)) sizes.push_back(std::abs(v));
  ColouredMap out;
  const auto finite = [](float a, float b) { return a < b; };
  out.constant = sizes.empty() ||
                 std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; });
  double scale = 0;
  if (!sizes.empty()) {
    const size_t at =
        std::min(sizes.size() - 1, static_cast<size_t>(0.98 * static_cast<double>(sizes.size())));
    std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(at), sizes.end(),
                     finite);
    scale = sizes[at];
    // A map with fewer than 2 % of its pixels above zero still has something to show.
    if (scale == 0) scale = *std::max_element(sizes.begin(), sizes.end());
  }
  out.high = scale;
  out.low = attribution.is_signed ? -scale : 0;
  out.image = Array(Shape{attribution.map.shape()[0], attribution.map.shape()[1], 3}, DType::u8);
  const std::span<const Colour> colours = ramp(attribution.is_signed);
  for (size_t i = 0; i < values.size(); ++i) {
    const double v = std::isfinite(values[i]) ? values[i] : 0;
    const double t =
        scale == 0 ? (attribution.is_signed ? 0.5 : 0) : (v - out.low) / (out.high - out.low);
    write_colour(colours, t, &out.image.u8()[3 * i]);
  }
  return out;
}

std::vector<std::string> ramp_stops(bool is_signed) {
  std::vector<std::string> stops;
  for (const Colour& c : ramp(is_signed))
    stops.push_back(fmt::format("rgb({} {} {})", c[0], c[1], c[2]));
  return stops;
}

Array overlay(const Array& input, const Array& map) {
  const Array below = for_display(input);
  Array out = map;
  const int h = map.shape()[0], w = map.shape()[1], channels = below.shape()[2];
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const int from_y = y * below.shape()[0] / h, from_x = x * below.shape()[1] / w;
      for (int c = 0; c < 3; ++c) {
        uint8_t& to = out.u8()[3 * (static_cast<size_t>(y) * w + x) + c];
        const size_t at = (static_cast<size_t>(from_y) * below.shape()[1] + from_x) * channels +
                          (channels == 3 ? c : 0);
        to = static_cast<uint8_t>((to + below.u8()[at] + 1) / 2);
      }
    }
  return out;
}

Json inline_png(const Array& image) {
  const Array shown = for_display(image);
  Json j;
  j["src"] = "data:image/png;base64," + base64(encode_png(shown));
  j["w"] = shown.shape()[1];
  j["h"] = shown.shape()[0];
  return j;
}

Json inline_sprite(const std::vector<Array>& thumbnails) {
  const Array first = for_display(thumbnails.at(0));
  const int h = first.shape()[0], w = first.shape()[1], channels = first.shape()[2];
  const int n = static_cast<int>(thumbnails.size()),
            columns = std::max(1, static_cast<int>(std::ceil(std::sqrt(n))));
  const int rows = (n + columns - 1) / columns;
  Array sheet(Shape{rows * h, columns * w, channels}, DType::u8);
  for (int i = 0; i < n; ++i) {
    const Array one = for_display(thumbnails[i]);
    if (one.shape() != first.shape())
      throw Error(fmt::format("thumbnail {} has shape {}, the first one {}", i, one.shape().str(),
                              first.shape().str()));
    for (int y = 0; y < h; ++y) {
      const size_t to =
          ((static_cast<size_t>(i / columns) * h + y) * columns + i % columns) * w * channels;
      std::memcpy(&sheet.u8()[to], &one.u8()[static_cast<size_t>(y) * w * channels],
                  static_cast<size_t>(w) * channels);
    }
  }
  Json j = inline_png(sheet);
  j["w"] = w;
  j["h"] = h;
  j["columns"] = columns;
  return j;
}

}  // namespace ocellus
