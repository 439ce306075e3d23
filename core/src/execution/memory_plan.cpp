#include <algorithm>

#include "execution/plan.hpp"

namespace ocellus::execution {
namespace {

/// The storage in whose memory `s` lies after following "in place".
int root(const std::vector<Storage>& storages, int s) {
  while (storages[s].shares >= 0) s = storages[s].shares;
  return s;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Storage>& given) {
  std::vector<Storage> storages = given;
  for (size_t i = 0; i < storages.size(); ++i) {
    if (storages[i].shares < 0) continue;
    Storage& r = storages[root(storages, static_cast<int>(i))];
    r.last = std::max(r.last, storages[i].last);
    r.elements = std::max(r.elements, storages[i].elements);
  }
  std::vector<int> order;
  for (size_t i = 0; i < storages.size(); ++i)
    if (storages[i].shares < 0 && (storages[i].first >= 0 || storages[i].pinned))
      order.push_back(static_cast<int>(i));
  // Largest first: a later, smaller storage fits into a slot that is large enough already.
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return storages[a].elements > storages[b].elements; });

  MemoryPlan plan;
  plan.slot.assign(storages.size(), -1);
  std::vector<std::vector<int>> tenants;
  for (int s : order) {
    const auto clashes = [&](int other) {
      return storages[other].pinned || (storages[s].first <= storages[other].last &&
                                        storages[other].first <= storages[s].last);
    };
    size_t slot = storages[s].pinned ? tenants.size() : 0;
    while (slot < tenants.size() &&
           std::any_of(tenants[slot].begin(), tenants[slot].end(), clashes))
      ++slot;
    if (slot == tenants.size()) {
      tenants.emplace_back();
      plan.slot_elements.push_back(storages[s].elements);
    }
    tenants[slot].push_back(s);
    plan.slot[s] = static_cast<int>(slot);
  }
  for (size_t i = 0; i < storages.size(); ++i)
    if (storages[i].shares >= 0) plan.slot[i] = plan.slot[root(storages, static_cast<int>(i))];
  return plan;
}

}  // namespace ocellus::execution
