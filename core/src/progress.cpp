#include "ocellus/core/progress.hpp"

// Destructors out of line: one home for each vtable.
namespace ocellus {

Progress::~Progress() = default;
SilentProgress::~SilentProgress() = default;
Log::~Log() = default;
SilentLog::~SilentLog() = default;

}  // namespace ocellus
