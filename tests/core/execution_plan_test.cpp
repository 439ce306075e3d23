// The parts of an Execution that need no device: substitution in expressions, memory planning.
#include <boost/test/unit_test.hpp>
#include <random>

#include "execution/expression.hpp"
#include "execution/plan.hpp"

using namespace ocellus::execution;

BOOST_AUTO_TEST_CASE(substitution_replaces_whole_identifiers_only) {
  BOOST_TEST(substitute("x * fmax(x, 0.0f) + x1", {{"x", "v"}}) == "v * fmax(v, 0.0f) + x1");
  BOOST_TEST(substitute("x0 - x1", {{"x0", "x1"}, {"x1", "x0"}}) == "x1 - x0");
  BOOST_TEST(substitute("exp(1.0e5f * x)", {{"x", "y"}, {"e5f", "BAD"}}) == "exp(1.0e5f * y)");
  BOOST_TEST(mentions("y > 0.0f ? (T)(1.0f) : (T)(0.0f)", "y"));
  BOOST_TEST(!mentions("my + y1", "y"));
}

BOOST_AUTO_TEST_CASE(storages_that_live_together_never_share_a_slot) {
  std::mt19937 rng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Storage> storages(1 + rng() % 40);
    for (Storage& s : storages) {
      s.elements = 1 + rng() % 1000;
      s.first = static_cast<int>(rng() % 50);
      s.last = s.first + static_cast<int>(rng() % 10);
      s.pinned = rng() % 8 == 0;
    }
    const MemoryPlan plan = plan_memory(storages);
    for (size_t i = 0; i < storages.size(); ++i) {
      BOOST_REQUIRE(plan.slot[i] >= 0);
      BOOST_REQUIRE(plan.slot_elements[plan.slot[i]] >= storages[i].elements);
      for (size_t j = 0; j < i; ++j) {
        if (plan.slot[i] != plan.slot[j]) continue;
        BOOST_REQUIRE(!storages[i].pinned && !storages[j].pinned);
        BOOST_REQUIRE(storages[i].last < storages[j].first || storages[j].last < storages[i].first);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chain_of_equal_storages_needs_two_slots) {
  std::vector<Storage> storages(6);
  for (int i = 0; i < 6; ++i) storages[i] = {100, i, i + 1, false, -1};
  BOOST_TEST(plan_memory(storages).slot_elements.size() == 2u);
}

BOOST_AUTO_TEST_CASE(in_place_storages_lie_where_their_root_lies_and_prolong_its_life) {
  std::vector<Storage> storages = {
      {10, 0, 1, false, -1}, {10, 1, 5, false, 0}, {10, 3, 4, false, -1}};
  const MemoryPlan plan = plan_memory(storages);
  BOOST_TEST(plan.slot[1] == plan.slot[0]);
  BOOST_TEST(plan.slot[2] != plan.slot[0]);
}
