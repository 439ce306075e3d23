#include "ocellus/opencl/queue.hpp"

#include <fmt/format.h>

#include <cstring>
#include <deque>

#include "check.hpp"
#include "ocellus/opencl/device.hpp"
#include "pool.hpp"

namespace ocellus::opencl {
namespace {

/// Staged bytes that may wait at most; beyond that a write waits for the oldest.
constexpr size_t kMaxStaged = size_t{256} << 20;

void check_bounds(const char* call, const Buffer& buffer, size_t offset, size_t bytes) {
  if (offset > buffer.bytes() || bytes > buffer.bytes() - offset)
    throw DeviceError(fmt::format("{}: bytes {} to {} of a buffer of {}", call, offset,
                                  offset + bytes, buffer.bytes()));
}

}  // namespace

/// Host memory of writes that are still on their way, oldest first.
struct Queue::Staging {
  struct Item {
    Event event;
    std::unique_ptr<unsigned char[]> data;
    size_t bytes;
  };
  std::deque<Item> items;
  size_t bytes = 0;

  void drop_oldest() {
    bytes -= items.front().bytes;
    items.pop_front();
  }
  void reap() {
    while (!items.empty()) {
      cl_int status = CL_QUEUED;
      clGetEventInfo(items.front().event.handle(), CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status,
                     &status, nullptr);
      if (status > CL_COMPLETE) {
        if (bytes < kMaxStaged) return;
        items.front().event.wait();
      }
      drop_oldest();
    }
  }
};

void Event::wait() const {
  if (!handle_) return;
  const cl_event event = handle_.get();
  check(clWaitForEvents(1, &event), "a command failed on the device");
}

namespace {
Event own(cl_event event) {
  return Event({event, [](cl_event e) { clReleaseEvent(e); }});
}
}  // namespace

Queue::Queue(Device& device, cl_command_queue handle)
    : device_(device), handle_(handle), staging_(std::make_unique<Staging>()) {}

Queue::~Queue() {
  clFinish(handle_);
  clReleaseCommandQueue(handle_);
}

void Queue::touch(const Buffer& buffer) {
  Buffer::Storage* const storage = buffer.storage();
  if (!storage) return;
  const bool second = this == &device_.transfer();
  const uint8_t me = second ? 2 : 1;
  storage->used |= me;
  const uint8_t stale = storage->stale.exchange(0);
  // The block had an earlier life on the other queue, whose commands may still be under way.
  if (stale & ~me) wait_for((second ? device_.compute() : device_.transfer()).record());
}

void Queue::write(const Buffer& to, size_t offset_bytes, const void* from, size_t bytes) {
  check_bounds("write", to, offset_bytes, bytes);
  if (bytes == 0) return;
  touch(to);
  staging_->reap();
  std::unique_ptr<unsigned char[]> copy(new unsigned char[bytes]);
  std::memcpy(copy.get(), from, bytes);
  cl_event event = nullptr;
  check(clEnqueueWriteBuffer(handle_, to.handle(), CL_FALSE, offset_bytes, bytes, copy.get(), 0,
                             nullptr, &event),
        "write to the device");
  staging_->items.push_back({own(event), std::move(copy), bytes});
  staging_->bytes += bytes;
}

void Queue::write_with(const Buffer& to, size_t offset_bytes, size_t bytes,
                       const std::function<void(size_t first, std::span<std::byte> part)>& fill) {
  check_bounds("write", to, offset_bytes, bytes);
  touch(to);
  // A device with memory of its own gets a copy of what is mapped: small parts keep that small.
  constexpr size_t largest_part = size_t{32} << 20;
  for (size_t first = 0; first < bytes; first += largest_part) {
    const size_t size = std::min(largest_part, bytes - first);
    cl_int status = CL_SUCCESS;
    void* mapped = clEnqueueMapBuffer(handle_, to.handle(), CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION,
                                      offset_bytes + first, size, 0, nullptr, nullptr, &status);
    check(status, "map memory of the device");
    const auto unmap = [&] {
      return clEnqueueUnmapMemObject(handle_, to.handle(), mapped, 0, nullptr, nullptr);
    };
    try {
      fill(first, {static_cast<std::byte*>(mapped), size});
    } catch (...) {
      unmap();
      throw;
    }
    check(unmap(), "give mapped memory back to the device");
  }
}

void Queue::read(const Buffer& from, size_t offset_bytes, void* to, size_t bytes) {
  check_bounds("read", from, offset_bytes, bytes);
  if (bytes == 0) return;
  touch(from);
  check(clEnqueueReadBuffer(handle_, from.handle(), CL_TRUE, offset_bytes, bytes, to, 0, nullptr,
                            nullptr),
        "read from the device");
}

void Queue::copy(const Buffer& from, size_t from_bytes, const Buffer& to, size_t to_bytes,
                 size_t bytes) {
  check_bounds("copy from", from, from_bytes, bytes);
  check_bounds("copy to", to, to_bytes, bytes);
  if (bytes == 0) return;
  touch(from);
  touch(to);
  check(clEnqueueCopyBuffer(handle_, from.handle(), to.handle(), from_bytes, to_bytes, bytes, 0,
                            nullptr, nullptr),
        "copy on the device");
}

void Queue::fill(const Buffer& buffer, size_t offset_bytes, size_t bytes, uint32_t pattern) {
  check_bounds("fill", buffer, offset_bytes, bytes);
  if (bytes == 0) return;
  touch(buffer);
  check(clEnqueueFillBuffer(handle_, buffer.handle(), &pattern, sizeof pattern, offset_bytes, bytes,
                            0, nullptr, nullptr),
        "fill on the device");
}

Event Queue::record() {
  cl_event event = nullptr;
  check(clEnqueueMarkerWithWaitList(handle_, 0, nullptr, &event), "marker");
  flush();
  return own(event);
}

void Queue::wait_for(const Event& e) {
  if (!e) return;
  const cl_event event = e.handle();
  check(clEnqueueBarrierWithWaitList(handle_, 1, &event, nullptr), "barrier");
}

void Queue::flush() { check(clFlush(handle_), "flush"); }

void Queue::finish() {
  check(clFinish(handle_), "finish");
  staging_->items.clear();
  staging_->bytes = 0;
}

void Queue::finish_quietly() noexcept { clFinish(handle_); }

}  // namespace ocellus::opencl
