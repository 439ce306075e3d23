#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "local_tile.hpp"
#include "ocellus/opencl/error.hpp"

namespace ocellus::opencl {

/// Entries that can do a problem, best first. `rank(entry)` is 0 for those that cannot.
template <class Entries, class Rank>
auto ranked(const Entries& entries, Rank rank) {
  std::vector<typename Entries::value_type> able;
  for (const auto& entry : entries)
    if (rank(*entry) > 0) able.push_back(entry);
  std::stable_sort(able.begin(), able.end(),
                   [&](const auto& a, const auto& b) { return rank(*a) > rank(*b); });
  return able;
}

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.emplace_back(entry->name);
  return names;
}

/// "tiled:64,32,8,8,4" names an algorithm of the tiled family and the tile that it is to take;
/// "tiled" leaves the tile to the rule.
inline std::string algorithm_of(const std::string& name) { return name.substr(0, name.find(':')); }
inline std::optional<Tile> tile_of(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return {};
  return Tile::parse(name.substr(colon + 1), name.substr(0, colon));
}

/// What an entry is called with each tile that fits the device; nothing where it takes none.
template <class Entry>
std::vector<std::string> tiled_names(const Device& device, const Entry& entry) {
  std::vector<std::string> names;
  if (!entry.make_with_tile) return names;
  for (const Tile& t : fitting_tiles(device))
    names.push_back(fmt::format("{}:{}", entry.name, t.text()));
  return names;
}

/// The names of `able`; the first takes the tile that was measured for it, where `tuned` has one.
template <class Entries>
std::vector<std::string> names_of(const Device& device, const Entries& able,
                                  const std::string& tuned) {
  std::vector<std::string> names = names_of(able);
  if (names.empty()) return names;
  const std::vector<std::string> tiled = tiled_names(device, *able.front());
  if (std::ranges::find(tiled, tuned) != tiled.end()) names.front() = tuned;
  return names;
}

/// Makes the algorithm called `name`, with its tile if it names one. Throws Error where the
/// algorithm takes none, DeviceError where it does not fit the device.
template <class Entry, class... Problem>
auto make_named(Device& device, const Entry& entry, const std::string& name,
                const Problem&... problem) {
  const std::optional<Tile> tile = tile_of(name);
  if (!tile) return entry.make(device, problem...);
  if (!entry.make_with_tile) throw Error(fmt::format("algorithm '{}' takes no tile", entry.name));
  require_fit(device, *tile, name);
  return entry.make_with_tile(device, problem..., *tile);
}

/// Puts the entry called `name`, its tile aside, first, where there is one: what was measured goes
/// before the rule.
template <class Entry>
void prefer(std::vector<Entry>& able, const std::string& name) {
  const auto found = std::find_if(able.begin(), able.end(),
                                  [&](const Entry& e) { return algorithm_of(name) == e->name; });
  if (found != able.end()) std::rotate(able.begin(), found, found + 1);
}

/// Names of algorithms in OCELLUS_ALGORITHMS, separated by commas. Throws Error at one that neither
/// products nor convolutions know.
std::vector<std::string> wanted_algorithms();

/// Puts what the user wants before what was measured: the first name of OCELLUS_ALGORITHMS that can
/// do the problem, then the second, ...
template <class Entry>
void prefer_wanted(std::vector<Entry>& able) {
  const std::vector<std::string> wanted = wanted_algorithms();
  for (auto name = wanted.rbegin(); name != wanted.rend(); ++name) prefer(able, *name);
}

/// The entry called `name`, its tile aside, the first if `name` is empty. Throws Error that lists
/// the names.
template <class Entries>
const auto& chosen(const Entries& able, const std::string& name, const char* what) {
  for (const auto& entry : able)
    if (name.empty() || algorithm_of(name) == entry->name) return *entry;
  throw Error(fmt::format("no {} algorithm '{}' can do this problem (there are: {})", what, name,
                          fmt::join(names_of(able), ", ")));
}

}  // namespace ocellus::opencl
