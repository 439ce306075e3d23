#include "local_tile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ocellus::opencl {
namespace {

/// `reuse`: the share of a device's arithmetic that the tile reaches when the device is full,
/// relative to the largest tile. Estimates from the ratio of multiply-adds to local-memory reads
/// (tm * tn to tm + tn), which `ocellus tune` may correct.
struct Candidate {
  Tile tile;
  double reuse;
};
constexpr Candidate candidates[] = {
    {{128, 128, 8, 8, 8}, 1.0},  // 256 work-items, 8 KiB
    {{64, 64, 8, 8, 8}, 0.9},    // 64 work-items, 4 KiB: for devices with small work-groups too
    {{64, 64, 16, 4, 4}, 0.8},   // 256 work-items, 8 KiB
    {{128, 16, 16, 8, 2}, 0.6},  // few columns: 128 work-items
    {{32, 32, 16, 4, 4}, 0.6},   // 64 work-items, 4 KiB
    {{64, 8, 16, 4, 2}, 0.4},    // 64 work-items
};

bool fits(const Device& device, const Tile& t) {
  return static_cast<size_t>(t.group()) <= device.info().max_work_group &&
         t.local_bytes() <= device.info().local_memory;
}

}  // namespace

std::string Tile::options() const {
  return fmt::format("-DBM={} -DBN={} -DBK={} -DTM={} -DTN={} -DGROUP={}", bm, bn, bk, tm, tn,
                     group());
}

Range Tile::range(size_t m, size_t n, size_t batch) const {
  const size_t items = group();
  return {{(m + bm - 1) / bm * items, (n + bn - 1) / bn, batch}, {items, 1, 1}};
}

bool fits_some_tile(const Device& device) {
  return std::ranges::any_of(candidates, [&](const Candidate& c) { return fits(device, c.tile); });
}

Tile choose_tile(const Device& device, size_t m, size_t n, size_t batch) {
  const DeviceInfo& info = device.info();
  const Tile* best = nullptr;
  double best_time = std::numeric_limits<double>::max();
  for (const Candidate& c : candidates) {
    const Tile& t = c.tile;
    if (!fits(device, t)) continue;
    // The tiles run in rounds of one for each compute unit; a round takes the time of a tile.
    const size_t tiles = (m + t.bm - 1) / t.bm * ((n + t.bn - 1) / t.bn) * batch;
    const size_t rounds = (tiles + info.compute_units - 1) / info.compute_units;
    const double time = static_cast<double>(rounds) * t.bm * t.bn / c.reuse;
    if (time < best_time) best = &t, best_time = time;
  }
  if (!best)
    throw DeviceError(
        fmt::format("{}: tiled kernels need work-groups of 64 and 4 KiB of local memory; it has {} "
                    "and {} bytes",
                    info.name, info.max_work_group, info.local_memory));
  return *best;
}

}  // namespace ocellus::opencl
