#pragma once

// Random damage to texts, JSON and bytes.
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "ocellus/core/json.hpp"

namespace ocellus::fuzz {

/// Numbers from one seed: an input is made again from its seed alone.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  /// 0 to n - 1; 0 for n = 0.
  size_t below(size_t n) { return n ? engine_() % n : 0; }
  bool one_in(size_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// Some bytes flipped, a part cut out, doubled, or the end cut off.
void damage(std::vector<std::byte>& bytes, Dice& dice);
/// A short text becomes another one: empty, long, with '/', "..", a NUL or no UTF-8.
void damage(std::string& text, Dice& dice);
/// One value somewhere in `json` is dropped, doubled, moved, or replaced by one of another type or
/// size.
void damage(Json& json, Dice& dice);
/// A text that may be JSON: then as such, mostly.
void damage_document(std::string& text, Dice& dice);

}  // namespace ocellus::fuzz
