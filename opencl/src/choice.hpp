#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

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

/// Puts the entry called `name` first, where there is one: what was measured goes before the rule.
template <class Entry>
void prefer(std::vector<Entry>& able, const std::string& name) {
  const auto found =
      std::find_if(able.begin(), able.end(), [&](const Entry& e) { return name == e->name; });
  if (found != able.end()) std::rotate(able.begin(), found, found + 1);
}

/// The entry called `name`, the first if `name` is empty. Throws Error that lists the names.
template <class Entries>
const auto& chosen(const Entries& able, const std::string& name, const char* what) {
  for (const auto& entry : able)
    if (name.empty() || name == entry->name) return *entry;
  throw Error(fmt::format("no {} algorithm '{}' can do this problem (there are: {})", what, name,
                          fmt::join(names_of(able), ", ")));
}

}  // namespace ocellus::opencl
