#include "ocellus/core/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "image_codec.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {

void codec::check_extent(uint64_t height, uint64_t width, const std::string& name) {
  if (height == 0 || width == 0 || height * width > largest_image)
    throw DataError(fmt::format("{}: claims {} x {} pixels; at most {} are read", name, width,
                                height, largest_image));
}

Array decode_image(std::span<const std::byte> bytes, const std::string& name) {
  if (codec::is_jpeg(bytes)) return codec::decode_jpeg(bytes, name);
  if (codec::is_png(bytes)) return codec::decode_png(bytes, name);
  if (bytes.empty()) throw DataError(fmt::format("{}: is empty", name));
  throw DataError(fmt::format("{}: is neither JPEG nor PNG", name));
}

Array read_image(const std::filesystem::path& file) {
  return decode_image(read_file(file), file.string());
}

Array to_u8(const Array& image) {
  if (image.type() == DType::u8) return image;
  Array out(image.shape(), DType::u8);
  const auto from = image.f32();
  const auto to = out.u8();
  for (size_t i = 0; i < to.size(); ++i)
    // Written so that NaN fails the first test.
    to[i] = from[i] > 0 ? static_cast<uint8_t>(std::lround(std::min(from[i], 1.0f) * 255.0f))
                        : uint8_t{0};
  return out;
}

namespace {

void check_picture(const Array& image) {
  if (image.shape().rank() != 3 || image.empty())
    throw Error(fmt::format("an array of shape {} is no picture (H, W, C)", image.shape().str()));
}

}  // namespace

Array with_channels(const Array& image, int channels) {
  check_picture(image);
  const int have = image.shape().channels();
  if (have == channels) return image;
  if (!((have == 1 && channels == 3) || (have == 3 && channels == 1)))
    throw ShapeError(
        fmt::format("a picture of {} channels cannot be brought to {}", have, channels));
  Array out(Shape({image.shape()[0], image.shape()[1], channels}), DType::u8);
  const auto from = image.u8();
  const auto to = out.u8();
  if (channels == 3) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = from[i / 3];
  } else {
    // 16-bit fixed point with rounding, as Pillow.
    for (size_t i = 0; i < to.size(); ++i)
      to[i] = static_cast<uint8_t>(
          (from[3 * i] * 19595u + from[3 * i + 1] * 38470u + from[3 * i + 2] * 7471u + 0x8000u) >>
          16);
  }
  return out;
}

namespace {

// For each target position: the source positions that count, and how much.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> taps_of(int from, int to, Interpolation interpolation) {
  std::vector<Taps> all(static_cast<size_t>(to));
  const double scale = static_cast<double>(from) / to, support = std::max(scale, 1.0);
  for (int i = 0; i < to; ++i) {
    Taps& t = all[static_cast<size_t>(i)];
    const double centre = (i + 0.5) * scale;
    if (interpolation == Interpolation::nearest) {
      t.first = std::min(static_cast<int>(centre), from - 1);
      t.weights = {1.0f};
      continue;
    }
    t.first = std::max(0, static_cast<int>(std::floor(centre - support + 0.5)));
    const int last = std::min(from, static_cast<int>(std::floor(centre + support + 0.5)));
    double sum = 0;
    for (int k = t.first; k < last; ++k) {
      const double w = std::max(0.0, 1 - std::abs(k + 0.5 - centre) / support);
      t.weights.push_back(static_cast<float>(w));
      sum += w;
    }
    for (float& w : t.weights) w = static_cast<float>(w / sum);
  }
  return all;
}

// One axis of a contiguous block (outer, from, inner) -> (outer, taps.size(), inner).
std::vector<float> resample(const std::vector<float>& x, size_t outer, size_t from, size_t inner,
                            const std::vector<Taps>& taps) {
  std::vector<float> y(outer * taps.size() * inner, 0.0f);
  for (size_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < taps.size(); ++i) {
      float* to = &y[(o * taps.size() + i) * inner];
      for (size_t k = 0; k < taps[i].weights.size(); ++k) {
        const float w = taps[i].weights[k];
        const float* in = &x[(o * from + static_cast<size_t>(taps[i].first) + k) * inner];
        for (size_t c = 0; c < inner; ++c) to[c] += w * in[c];
      }
    }
  return y;
}

// A window of an image; parts outside it are 0.
Array window(const Array& image, int top, int left, int height, int width) {
  const int h = image.shape()[0], w = image.shape()[1];
  const size_t pixel = static_cast<size_t>(image.shape()[2]) * bytes_of(image.type());
  Array out(Shape({height, width, image.shape()[2]}), image.type());
  const int x0 = std::max(0, left), x1 = std::min(w, left + width);
  for (int y = std::max(0, top); y < std::min(h, top + height) && x0 < x1; ++y)
    std::memcpy(&out.bytes()[(static_cast<size_t>(y - top) * width + (x0 - left)) * pixel],
                &image.bytes()[(static_cast<size_t>(y) * w + x0) * pixel],
                static_cast<size_t>(x1 - x0) * pixel);
  return out;
}

}  // namespace

Array resize(const Array& image, int height, int width, Interpolation interpolation) {
  check_picture(image);
  if (height < 1 || width < 1)
    throw UsageError(fmt::format("an image cannot be resized to {} x {}", width, height));
  const auto h = static_cast<size_t>(image.shape()[0]), w = static_cast<size_t>(image.shape()[1]),
             c = static_cast<size_t>(image.shape()[2]);
  if (image.shape()[0] == height && image.shape()[1] == width) return image;
  const Array values = image.to_f32();
  std::vector<float> x(values.f32().begin(), values.f32().end());
  x = resample(x, h, w, c, taps_of(static_cast<int>(w), width, interpolation));
  x = resample(x, 1, h, static_cast<size_t>(width) * c,
               taps_of(static_cast<int>(h), height, interpolation));
  Array out(Shape({height, width, static_cast<int>(c)}), std::move(x));
  if (image.type() != DType::u8) return out;
  Array bytes(out.shape(), DType::u8);
  for (size_t i = 0; i < bytes.u8().size(); ++i)
    bytes.u8()[i] = static_cast<uint8_t>(std::clamp(std::lround(out.f32()[i]), 0l, 255l));
  return bytes;
}

Fit fit_of(const std::string& name) {
  if (name == "stretch") return Fit::stretch;
  if (name == "crop") return Fit::crop;
  if (name == "pad") return Fit::pad;
  throw UsageError(fmt::format("unknown way to fit an image '{}'{}", name,
                               suggestion(name, {"stretch", "crop", "pad"})));
}

Array fit(const Array& image, int height, int width, Fit how, Interpolation interpolation) {
  check_picture(image);
  const double h = image.shape()[0], w = image.shape()[1];
  const auto part = [](double v, double most) {
    return static_cast<int>(std::clamp(v, 1.0, most));
  };
  if (how == Fit::crop) {
    const int ch = part(w * height / width, h), cw = part(h * width / height, w);
    return resize(window(image, (image.shape()[0] - ch) / 2, (image.shape()[1] - cw) / 2, ch, cw),
                  height, width, interpolation);
  }
  if (how == Fit::pad) {
    const double scale = std::min(height / h, width / w);
    const int ih = part(std::round(h * scale), height), iw = part(std::round(w * scale), width);
    return window(resize(image, ih, iw, interpolation), -((height - ih) / 2), -((width - iw) / 2),
                  height, width);
  }
  return resize(image, height, width, interpolation);
}

}  // namespace ocellus
