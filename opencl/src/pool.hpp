#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "check.hpp"
#include "ocellus/opencl/buffer.hpp"

namespace ocellus::opencl {

/// Device memory in size classes. A released block stays here for the next request of its class;
/// blocks are given back to the driver only by trim(), or when a request would otherwise break the
/// ceiling.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  /// `host_memory`: the device computes in the host's memory.
  Pool(cl_context context, uint64_t max_allocation, uint64_t ceiling, bool host_memory);
  ~Pool();

  std::shared_ptr<Buffer::Storage> allocate(size_t bytes, const std::string& what);
  void trim();
  /// From now on released blocks go straight back to the driver: the device is gone, a buffer
  /// outlived it.
  void close();

  uint64_t in_use() const;
  uint64_t peak() const;
  uint64_t ceiling() const { return ceiling_; }

 private:
  friend struct Buffer::Storage;
  struct Block {
    cl_mem handle;
    uint8_t queues;  ///< queues that may still be working on it
  };
  void release(const Buffer::Storage& storage) noexcept;
  void trim_locked() noexcept;
  cl_mem create(size_t bytes, cl_int* status) const;

  const cl_context context_;
  const uint64_t max_allocation_, ceiling_;
  const bool host_memory_;
  mutable std::mutex mutex_;
  std::multimap<size_t, Block> unused_;  ///< by capacity
  uint64_t in_use_ = 0, peak_ = 0, pooled_ = 0;
  bool closed_ = false;
};

struct Buffer::Storage {
  Storage(std::shared_ptr<Pool> pool, cl_mem handle, size_t bytes, size_t capacity, uint8_t stale)
      : pool(std::move(pool)), handle(handle), bytes(bytes), capacity(capacity), stale(stale) {}
  ~Storage() { pool->release(*this); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const std::shared_ptr<Pool> pool;
  const cl_mem handle;
  const size_t bytes, capacity;
  /// Bit sets of queues: those that touched this storage, and those that touched the block in an
  /// earlier life. A first command on another queue must wait for the latter.
  std::atomic<uint8_t> used{0}, stale;
};

/// "1.5 GiB".
std::string readable_bytes(uint64_t bytes);

}  // namespace ocellus::opencl
