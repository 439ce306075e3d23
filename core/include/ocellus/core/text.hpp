#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// The candidate nearest to `word` by edit distance, or empty when none is near enough to be meant.
OCELLUS_API std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// "; did you mean 'filters'?" or, when nothing is near, "; known are a, b, c" (at most `most`
/// names).
OCELLUS_API std::string suggestion(std::string_view word,
                                   const std::vector<std::string>& candidates, size_t most = 12);
OCELLUS_API std::vector<std::string> split(std::string_view text, char separator);
OCELLUS_API std::string_view trim(std::string_view text);
/// "1.2 GB", "34 kB".
OCELLUS_API std::string human_bytes(double bytes);

}  // namespace ocellus
