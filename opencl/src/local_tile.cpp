#include "local_tile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string_view>

#include "device_list.hpp"

namespace ocellus::opencl {
namespace {

/// GPUs whose registers and local memory ask for the same tiles.
enum GpuClass { nvidia, amd, intel, small, class_count };

/// By the words of its vendor. It decides about speed alone: a wrong guess gives the same results.
GpuClass class_of(const DeviceInfo& info) {
  std::string vendor = info.vendor;
  std::ranges::transform(vendor, vendor.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto is = [&](std::string_view word) { return vendor.find(word) != std::string::npos; };
  if (is("nvidia")) return nvidia;
  if (is("amd") || is("advanced micro")) return amd;
  if (is("intel")) return intel;
  for (const char* word : {"arm", "apple", "qualcomm", "imagination", "broadcom"})
    if (is(word)) return small;
  // Local memory that is plain memory gains nothing by large tiles.
  return info.type & CL_DEVICE_TYPE_GPU && info.local_memory_is_global ? small : nvidia;
}

/// Work-items that a compute unit must hold to hide its latencies: two warps for each of an SM's
/// four schedulers, a wavefront for each of a CU's four SIMDs, four threads of 16 lanes of an EU,
/// two or four warps of a small core.
constexpr size_t busy_items[class_count] = {256, 256, 64, 64};

/// `speed`: the share of a class's arithmetic that the tile reaches when the device is full,
/// relative to its best tile; 0: not for this class. Estimates from multiply-adds a read of local
/// memory, tm * tn / (tm + tn), and from the registers of tm * tn sums: see docs/kernels.md.
struct Candidate {
  Tile tile;
  double speed[class_count];  // nvidia, amd, intel, small
};
constexpr Candidate candidates[] = {
    {{128, 128, 8, 8, 8}, {1.0, 1.0, 0.0, 0.0}},  // 256 work-items, 8 KiB
    {{64, 64, 8, 8, 8}, {0.9, 0.9, 0.5, 0.3}},    // 64, 4 KiB: for small work-groups too
    {{64, 64, 16, 4, 4}, {0.5, 0.8, 0.8, 0.6}},   // 256, 8 KiB
    {{64, 32, 8, 8, 4}, {0.65, 0.85, 1.0, 0.7}},  // 64, 3 KiB
    {{128, 16, 8, 8, 2}, {0.4, 0.6, 0.6, 0.4}},   // 128, 5 KiB: few columns
    {{32, 32, 8, 4, 4}, {0.45, 0.7, 0.7, 1.0}},   // 64, 2 KiB
    {{64, 8, 8, 4, 2}, {0.3, 0.45, 0.4, 0.5}},    // 64, 2 KiB
};

bool fits(const Device& device, const Tile& t) {
  return static_cast<size_t>(t.group()) <= device.info().max_work_group &&
         t.local_bytes() <= device.info().local_memory;
}

/// OCELLUS_TILE: the one tile to use, for who tunes by hand.
std::optional<Tile> forced_tile() {
  const std::string text = environment("OCELLUS_TILE");
  if (text.empty()) return {};
  return Tile::parse(text, "OCELLUS_TILE");
}

size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

/// A tile and how long it takes, in the unit of product_time().
struct Timed {
  Tile tile;
  double time;
};

/// As choose_tile().
Timed best_tile(const Device& device, size_t m, size_t n, size_t batch) {
  const DeviceInfo& info = device.info();
  const GpuClass kind = class_of(info);
  // A CPU in a GPU's place works at one group at a time.
  const size_t items = info.type & CL_DEVICE_TYPE_CPU ? 1 : busy_items[kind];
  const auto time = [&](const Tile& t, double speed) {
    // A unit works at several tiles at a time, and no faster at fewer of them.
    const size_t tiles = ceil_div(m, t.bm) * ceil_div(n, t.bn) * batch;
    const size_t resident = ceil_div(items, t.group());
    const size_t rounds = ceil_div(tiles, info.compute_units * resident);
    return static_cast<double>(rounds * resident) * t.bm * t.bn / speed;
  };
  if (const auto forced = forced_tile()) {
    require_fit(device, *forced, "OCELLUS_TILE");
    return {*forced, time(*forced, 1)};
  }
  const Tile* best = nullptr;
  double best_time = std::numeric_limits<double>::infinity();
  for (const Candidate& c : candidates) {
    if (!fits(device, c.tile)) continue;
    const double t = time(c.tile, std::max(c.speed[kind], 1e-3));  // better than none
    if (t < best_time) best = &c.tile, best_time = t;
  }
  if (!best)
    throw DeviceError(fmt::format(
        "{}: tiled kernels need work-groups of 64 and 2.5 KiB of local memory; it has {} "
        "and {} bytes",
        info.name, info.max_work_group, info.local_memory));
  return {*best, best_time};
}

/// Milliseconds; 0: without limit.
double launch_limit(const DeviceInfo& info) {
  const std::string text = environment("OCELLUS_LAUNCH_LIMIT");
  if (text.empty()) return info.type & CL_DEVICE_TYPE_GPU ? 200 : 0;
  double ms = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, ms);
  if (error != std::errc() || rest != end || !(ms >= 0))
    throw Error(fmt::format("OCELLUS_LAUNCH_LIMIT: '{}' is no number of milliseconds", text),
                ExitCode::usage);
  return ms;
}

}  // namespace

Tile Tile::parse(const std::string& text, const std::string& what) {
  Tile t{};
  char rest = 0;
  const bool read =
      std::sscanf(text.c_str(), "%d,%d,%d,%d,%d%c", &t.bm, &t.bn, &t.bk, &t.tm, &t.tn, &rest) == 5;
  const auto even = [](int a, int b) { return b > 0 && a > 0 && a % b == 0; };
  // What ocellus/local_tile.cl takes for granted.
  if (!read || !even(t.bm, t.tm) || !even(t.bn, t.tn) || !even(t.group(), t.bk) ||
      !even(t.bm * t.bk, t.group()) || !even(t.bn * t.bk, t.group()) || t.bm % 4 || t.bn % 4 ||
      t.bk % 4)
    throw Error(fmt::format("{}: '{}' is no tile BM,BN,BK,TM,TN (TM divides BM, TN divides BN, BK "
                            "divides the work-group, which divides BM * BK and BN * BK; BM, BN and "
                            "BK are multiples of 4)",
                            what, text),
                ExitCode::usage);
  return t;
}

std::string Tile::text() const { return fmt::format("{},{},{},{},{}", bm, bn, bk, tm, tn); }

void require_fit(const Device& device, const Tile& tile, const std::string& what) {
  const DeviceInfo& info = device.info();
  if (fits(device, tile)) return;
  throw DeviceError(fmt::format(
      "{}: it takes work-groups of {} and {} bytes of local memory; {} has {} and {}", what,
      tile.group(), tile.local_bytes(), info.name, info.max_work_group, info.local_memory));
}

std::vector<Tile> fitting_tiles(const Device& device) {
  std::vector<Tile> tiles;
  for (const Candidate& c : candidates)
    if (fits(device, c.tile)) tiles.push_back(c.tile);
  return tiles;
}

std::string Tile::options() const {
  return fmt::format("-DBM={} -DBN={} -DBK={} -DTM={} -DTN={} -DGROUP={}", bm, bn, bk, tm, tn,
                     group());
}

Range Tile::range(size_t m, size_t n, size_t batch) const {
  const size_t items = group();
  return {{ceil_div(m, bm) * items, ceil_div(n, bn), batch}, {items, 1, 1}};
}

bool fits_some_tile(const Device& device) {
  return std::ranges::any_of(candidates, [&](const Candidate& c) { return fits(device, c.tile); });
}

Tile choose_tile(const Device& device, size_t m, size_t n, size_t batch) {
  return best_tile(device, m, n, batch).tile;
}

double product_time(const Device& device, size_t m, size_t n, size_t batch) {
  return best_tile(device, m, n, batch).time;
}

TermSplit split_terms(const Device& device, size_t m, size_t n, size_t batch, size_t terms,
                      size_t fewest) {
  TermSplit best{1, product_time(device, m, n, batch) * terms};
  for (size_t parts = 2; parts <= 64 && parts * fewest <= terms; parts *= 2) {
    const double time = product_time(device, m, n, batch * parts) * ceil_div(terms, parts);
    if (time < 0.9 * best.time) best = {parts, time};  // they have to be added, too
  }
  return best;
}

size_t launches_for(const Device& device, double multiply_adds) {
  constexpr double per_ms = 50e6;  // 100 GFLOP/s, what the slowest integrated GPUs reach
  const double limit = launch_limit(device.info());
  if (limit <= 0) return 1;
  return static_cast<size_t>(std::clamp(std::ceil(multiply_adds / (per_ms * limit)), 1.0, 1e6));
}

void launch_tiles(const Kernel& kernel, Queue& queue, const Range& range,
                  const Arguments& arguments, size_t launches) {
  const size_t items = range.local[0], tiles = range.global[0] / items, batch = range.global[2];
  // A piece: some tiles of one product, or whole products.
  const size_t piece = std::max<size_t>(1, tiles * batch / launches);
  const size_t some_tiles = std::min(piece, tiles), some_batch = std::max<size_t>(1, piece / tiles);
  for (size_t b = 0; b < batch; b += some_batch)
    for (size_t t = 0; t < tiles; t += some_tiles) {
      Range part = range;
      part.global[0] = std::min(some_tiles, tiles - t) * items;
      part.global[2] = std::min(some_batch, batch - b);
      Arguments all = arguments;
      all.add(static_cast<uint32_t>(t)).add(static_cast<uint32_t>(b));
      kernel.launch(queue, part, all);
    }
}

}  // namespace ocellus::opencl
