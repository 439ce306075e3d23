#include "ocellus/opencl/kernel.hpp"

#include <fmt/format.h>

#include <cstring>

#include "ocellus/opencl/profiler.hpp"
#include "pool.hpp"
#include "programs.hpp"

namespace ocellus::opencl {
namespace {

std::string argument_name(cl_kernel kernel, cl_uint index) {
  const auto text = [&](cl_kernel_arg_info what) -> std::string {
    char value[128] = "";
    const cl_int status = clGetKernelArgInfo(kernel, index, what, sizeof value, value, nullptr);
    return status == CL_SUCCESS ? value : "";
  };
  return fmt::format("{} ('{} {}')", index, text(CL_KERNEL_ARG_TYPE_NAME),
                     text(CL_KERNEL_ARG_NAME));
}

}  // namespace

Arguments& Arguments::add(const Buffer& b) {
  items_.push_back({b, {}, 0});
  return *this;
}

Arguments& Arguments::add_scalar(const void* value, size_t bytes) {
  Item item{{}, {}, bytes};
  std::memcpy(item.value.data(), value, bytes);
  items_.push_back(std::move(item));
  return *this;
}

const std::string& Kernel::name() const {
  static const std::string none;
  return state_ ? state_->name : none;
}

void Kernel::launch(Queue& queue, const Range& range, const Arguments& arguments) const {
  if (!state_) throw DeviceError("an empty kernel was launched");
  State& s = *state_;
  if (!s.handle) State::programs_of(queue.device()).complete(*s.unit);
  if (!s.handle) throw DeviceError(fmt::format("{}: kernel '{}' did not compile", s.owner, s.name));
  const auto& items = arguments.items();
  if (items.size() != s.argument_count)
    throw DeviceError(fmt::format("{}: kernel '{}' takes {} arguments, {} were given", s.owner,
                                  s.name, s.argument_count, items.size()));
  for (const size_t extent : range.global)
    if (extent == 0) return;
  const size_t group = range.local[0] * range.local[1] * range.local[2];
  if (group > s.max_work_group)
    throw DeviceError(fmt::format("{}: kernel '{}' wants work-groups of {}, the device allows {}",
                                  s.owner, s.name, group, s.max_work_group));
  for (const auto& item : items)
    if (item.bytes == 0) queue.touch(item.buffer);

  const bool profile = queue.device().profiler().enabled();
  cl_event event = nullptr;
  {
    const std::lock_guard lock(s.mutex);
    for (cl_uint i = 0; i < items.size(); ++i) {
      const cl_mem handle = items[i].buffer.handle();
      const cl_int status =
          items[i].bytes ? clSetKernelArg(s.handle, i, items[i].bytes, items[i].value.data())
                         : clSetKernelArg(s.handle, i, sizeof handle, handle ? &handle : nullptr);
      if (status != CL_SUCCESS)
        check(status, fmt::format("{}: kernel '{}', argument {}", s.owner, s.name,
                                  argument_name(s.handle, i)));
    }
    const cl_int status =
        clEnqueueNDRangeKernel(queue.handle(), s.handle, 3, nullptr, range.global.data(),
                               range.local.data(), 0, nullptr, profile ? &event : nullptr);
    if (status != CL_SUCCESS)
      check(status, fmt::format("{}: kernel '{}' ({}x{}x{} in groups of {}x{}x{})", s.owner, s.name,
                                range.global[0], range.global[1], range.global[2], range.local[0],
                                range.local[1], range.local[2]));
    s.launched = true;
  }
  if (event) queue.device().profiler().record(queue.label(), s.name, s.owner, event);
}

}  // namespace ocellus::opencl
