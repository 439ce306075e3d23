#include "totals.hpp"

#include <bit>
#include <cmath>

#include "ocellus/core/error.hpp"
#include "ocellus_core_kernels.hpp"

namespace ocellus::training {

Totals::Totals(opencl::Device& device, int values, int batch)
    : rows_(values),
      batch_(batch),
      values_(device.allocate(sizeof(float) * values * batch, "losses of a batch")),
      totals_(device.allocate(sizeof(float) * (2 * (values + 1) + 1), "sums of an epoch")),
      add_(device.kernel(kernels::training_cl(), "add_totals")) {
  clear(device.compute());
}

Tensor Totals::values(int v) const {
  return {values_, static_cast<uint32_t>(v * batch_), static_cast<uint32_t>(batch_), DType::f32,
          Shape{batch_}};
}

void Totals::clear(opencl::Queue& queue) {
  const size_t sums = sizeof(float) * 2 * (rows_ + 1);
  queue.fill(totals_, 0, sums);
  queue.fill(totals_, sums, sizeof(int32_t), 0xffffffffu);
}

void Totals::add(opencl::Queue& queue, const Tensor& weights, int count, int64_t step) {
  add_(queue, opencl::Range::of(rows_ + 1, 1), values_, static_cast<uint32_t>(batch_),
       weights.buffer, weights.offset, static_cast<int32_t>(count), static_cast<int32_t>(rows_),
       totals_, static_cast<int32_t>(step));
}

std::vector<float> Totals::raw(opencl::Queue& queue) const {
  std::vector<float> all(2 * (rows_ + 1) + 1);
  queue.read(totals_, 0, all.data(), all.size() * sizeof(float));
  return all;
}

Totals::Sums Totals::read(opencl::Queue& queue) const {
  const std::vector<float> all = raw(queue);
  const double weight = all[2 * rows_];
  Sums sums;
  for (int r = 0; r < rows_; ++r) sums.means.push_back(weight > 0 ? all[2 * r] / weight : 0);
  sums.first_bad_step = std::bit_cast<int32_t>(all.back());
  return sums;
}

Json Totals::save(opencl::Queue& queue) const {
  const std::vector<float> all = raw(queue);
  Json list = Json::list();
  for (size_t i = 0; i + 1 < all.size(); ++i) list.push_back(static_cast<double>(all[i]));
  return list;
}

void Totals::restore(opencl::Queue& queue, const Json& saved) {
  if (saved.size() != static_cast<size_t>(2 * (rows_ + 1)))
    throw DataError("the checkpoint's sums are of other metrics");
  clear(queue);
  std::vector<float> sums;
  for (const Json& j : saved.as_list()) sums.push_back(static_cast<float>(j.as_double()));
  queue.write(totals_, 0, sums.data(), sums.size() * sizeof(float));
}

}  // namespace ocellus::training
