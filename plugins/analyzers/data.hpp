#pragma once

#include <functional>
#include <vector>

#include "ocellus/core/analyzer.hpp"

namespace ocellus::analyzers {

/// Items of the context's data set, `chunk` at a time: visit(samples, index of the chunk's first
/// item in `indices`). Throws UsageError without a data set; checks for a stop and shows progress
/// under `label`.
void for_each_chunk(const AnalysisContext& context, const std::vector<int64_t>& indices, int chunk,
                    const std::string& label,
                    const std::function<void(const Samples&, int64_t first)>& visit);
/// At most `wanted` items (0: all), evenly spread: data sets may be sorted by class.
std::vector<int64_t> spread(int64_t size, int64_t wanted);
/// Class of item i of a batch's targets: an index, or the largest of a row; a single probability is
/// rounded. -1 where there are none.
int label_of(const Array& targets, int i);
/// Item i as u8 (H, W, 1 or 3) for display, no side longer than `side` pixels. Images of f32 are
/// stretched to their own range.
Array thumbnail(const Array& images, int i, int side = 64);

}  // namespace ocellus::analyzers
