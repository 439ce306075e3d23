#include "ocellus/opencl/compilation.hpp"

#include <utility>

#include "programs.hpp"

namespace ocellus::opencl {

Compilation::State*& current_compilation() {
  thread_local Compilation::State* current = nullptr;
  return current;
}

Compilation::Compilation(Device& device)
    : state_(new State{Kernel::State::programs_of(device), {}, current_compilation()}) {
  current_compilation() = state_.get();
}

Compilation::~Compilation() { current_compilation() = state_->outer; }

void Compilation::finish() { state_->programs.complete(std::exchange(state_->units, {})); }

}  // namespace ocellus::opencl
