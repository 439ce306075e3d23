#include "pool.hpp"

#include <fmt/format.h>

#include <bit>

#include "host_memory.hpp"
#include "ocellus/opencl/error.hpp"

namespace ocellus::opencl {
namespace {

/// Classes are eighths of a power of two from 4 KiB on: at most an eighth is wasted, few classes
/// exist.
size_t size_class(size_t bytes) {
  constexpr size_t kSmallest = 4096;
  const size_t step = std::max(kSmallest, std::bit_floor(std::max<size_t>(bytes, 1)) / 8);
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

std::string readable_bytes(uint64_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

Pool::Pool(cl_context context, uint64_t max_allocation, uint64_t ceiling, bool host_memory)
    : context_(context),
      max_allocation_(max_allocation),
      ceiling_(ceiling),
      host_memory_(host_memory) {
  clRetainContext(context_);
}

Pool::~Pool() {
  trim_locked();
  clReleaseContext(context_);
}

std::shared_ptr<Buffer::Storage> Pool::allocate(size_t bytes, const std::string& what) {
  if (bytes > max_allocation_)
    throw OutOfDeviceMemory(fmt::format("{} needs {} in one buffer, the device allows {}", what,
                                        readable_bytes(bytes), readable_bytes(max_allocation_)),
                            bytes, max_allocation_);
  const size_t capacity = std::min<size_t>(size_class(bytes), max_allocation_);
  const std::lock_guard lock(mutex_);
  Block block{nullptr, 0};
  if (const auto it = unused_.find(capacity); it != unused_.end()) {
    block = it->second;
    unused_.erase(it);
    pooled_ -= capacity;
  } else {
    if (in_use_ + pooled_ + capacity > ceiling_) trim_locked();
    cl_int status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    if (in_use_ + capacity <= ceiling_) {
      block.handle = create(capacity, &status);
      if (!block.handle && pooled_ > 0) {
        trim_locked();
        block.handle = create(capacity, &status);
      }
    }
    if (!block.handle) {
      const uint64_t available = ceiling_ - std::min(ceiling_, in_use_);
      throw OutOfDeviceMemory(
          fmt::format("{} needs {}, {} of {} are free on the device", what, readable_bytes(bytes),
                      readable_bytes(available), readable_bytes(ceiling_)),
          bytes, available);
    }
  }
  in_use_ += capacity;
  peak_ = std::max(peak_, in_use_);
  return std::make_shared<Buffer::Storage>(shared_from_this(), block.handle, bytes, capacity,
                                           block.queues);
}

cl_mem Pool::create(size_t bytes, cl_int* status) const {
  return host_memory_ ? create_host_buffer(context_, bytes, status)
                      : clCreateBuffer(context_, CL_MEM_READ_WRITE, bytes, nullptr, status);
}

void Pool::release(const Buffer::Storage& storage) noexcept {
  const std::lock_guard lock(mutex_);
  in_use_ -= storage.capacity;
  try {
    if (!closed_) {
      const auto queues = static_cast<uint8_t>(storage.used | storage.stale);
      unused_.emplace(storage.capacity, Block{storage.handle, queues});
      pooled_ += storage.capacity;
      return;
    }
  } catch (const std::bad_alloc&) {
  }
  clReleaseMemObject(storage.handle);
}

void Pool::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void Pool::trim_locked() noexcept {
  for (const auto& [capacity, block] : unused_) clReleaseMemObject(block.handle);
  unused_.clear();
  pooled_ = 0;
}

void Pool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  trim_locked();
}

uint64_t Pool::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

uint64_t Pool::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

size_t Buffer::bytes() const { return storage_ ? storage_->bytes : 0; }
cl_mem Buffer::handle() const { return storage_ ? storage_->handle : nullptr; }

}  // namespace ocellus::opencl
