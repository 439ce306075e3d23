#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "ocellus/opencl/api.hpp"
#include "ocellus/opencl/buffer.hpp"

using cl_command_queue = struct _cl_command_queue*;
using cl_event = struct _cl_event*;

namespace ocellus::opencl {

class Device;

/// A point in a queue's history that another queue, or the host, can wait for.
class OCELLUS_API Event {
 public:
  Event() = default;
  explicit operator bool() const { return handle_ != nullptr; }
  void wait() const;  ///< the host waits

  explicit Event(std::shared_ptr<struct _cl_event> handle) : handle_(std::move(handle)) {}
  cl_event handle() const { return handle_.get(); }

 private:
  std::shared_ptr<struct _cl_event> handle_;
};

/// An in-order queue of a device. Everything but read(), finish() and Event::wait() returns at
/// once.
class OCELLUS_API Queue {
 public:
  Queue(Device& device, cl_command_queue handle);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  Device& device() const { return device_; }
  cl_command_queue handle() const { return handle_; }

  /// Host to device; the host memory may be reused when the call returns.
  void write(const Buffer& to, size_t offset_bytes, const void* from, size_t bytes);
  /// As write(), but `fill(first, part)` puts the bytes [first, first + part size) of the whole
  /// where they go, part by part: nothing is held twice. Waits for all that was enqueued before.
  void write_with(const Buffer& to, size_t offset_bytes, size_t bytes,
                  const std::function<void(size_t first, std::span<std::byte> part)>& fill);
  /// Device to host; waits for all that was enqueued before.
  void read(const Buffer& from, size_t offset_bytes, void* to, size_t bytes);
  void copy(const Buffer& from, size_t from_bytes, const Buffer& to, size_t to_bytes, size_t bytes);
  /// Fills with a repeated 32-bit pattern; offset and size are multiples of 4.
  void fill(const Buffer& buffer, size_t offset_bytes, size_t bytes, uint32_t pattern = 0);

  Event record();                 ///< done when all commands so far are done
  void wait_for(const Event& e);  ///< commands enqueued later start after it
  void flush();
  void finish();
  void finish_quietly() noexcept;  ///< for destructors: waits, reports nothing

  /// Notes that a command of this queue is about to use `buffer`: its memory may have had an
  /// earlier life on the other queue, which is then waited for. Kernel and Queue do this
  /// themselves; whoever enqueues by handle() (CLBlast) calls it.
  void touch(const Buffer& buffer);

  /// Name under which the profiler books the launches that follow ("conv1 Conv2D forward").
  void set_label(std::string label) { label_ = std::move(label); }
  const std::string& label() const { return label_; }

 private:
  Device& device_;
  cl_command_queue handle_;
  std::string label_;
  struct Staging;
  std::unique_ptr<Staging> staging_;  ///< host copies of writes under way
};

}  // namespace ocellus::opencl
