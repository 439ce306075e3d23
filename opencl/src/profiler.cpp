#include "ocellus/opencl/profiler.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "check.hpp"

namespace ocellus::opencl {
namespace {

/// Events kept before they are read: a driver holds memory for each.
constexpr size_t kMaxPending = 4096;

double milliseconds(cl_event event) {
  cl_ulong start = 0, end = 0;
  check(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, nullptr),
        "profiling");
  check(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, nullptr),
        "profiling");
  return 1e-6 * static_cast<double>(end - start);
}

}  // namespace

struct Profiler::State {
  struct Pending {
    Row* row;
    cl_event event;
  };
  bool enabled = false;
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, std::string>, Row>
      rows;  // nodes keep their address
  std::vector<Pending> pending;

  void drop() noexcept {
    for (const Pending& p : pending) clReleaseEvent(p.event);
    pending.clear();
  }
  void drain() {
    for (const Pending& p : pending) {
      check(clWaitForEvents(1, &p.event), "a command failed on the device");
      p.row->milliseconds += milliseconds(p.event);
    }
    drop();
  }
};

Profiler::Profiler() : state_(std::make_unique<State>()) {}
Profiler::~Profiler() { state_->drop(); }

void Profiler::enable(bool on) { state_->enabled = on; }
bool Profiler::enabled() const { return state_->enabled; }

void Profiler::record(const std::string& label, const std::string& kernel, const std::string& owner,
                      cl_event event) {
  const std::lock_guard lock(state_->mutex);
  Row& row = state_->rows[{label, kernel, owner}];
  if (row.launches++ == 0) row = {label, kernel, owner, 1, 0};
  state_->pending.push_back({&row, event});
  if (state_->pending.size() >= kMaxPending) state_->drain();
}

std::vector<Profiler::Row> Profiler::rows() {
  const std::lock_guard lock(state_->mutex);
  state_->drain();
  std::vector<Row> list;
  for (const auto& [key, row] : state_->rows) list.push_back(row);
  std::stable_sort(list.begin(), list.end(),
                   [](const Row& a, const Row& b) { return a.milliseconds > b.milliseconds; });
  return list;
}

void Profiler::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->drop();
  state_->rows.clear();
}

}  // namespace ocellus::opencl
