#pragma once

#include <cstdint>
#include <string>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// How long work tells how far it is and learns that it should stop. Tools own the terminal and the
/// signals.
class OCELLUS_API Progress {
 public:
  virtual ~Progress();
  /// Called often; cheap. `detail` is what stands behind the bar ("loss 0.31 acc 0.89 12,300
  /// images/s").
  virtual void update(const std::string& label, int64_t done, int64_t total,
                      const std::string& detail = {}) = 0;
  /// The user pressed Ctrl-C or the time budget is spent: save what is valid and throw Interrupted,
  /// or return early.
  virtual bool stop_requested() const = 0;
};

/// A Progress that shows nothing and never stops.
class OCELLUS_API SilentProgress : public Progress {
 public:
  ~SilentProgress() override;
  void update(const std::string&, int64_t, int64_t, const std::string&) override {}
  bool stop_requested() const override { return false; }
};

/// Where libraries say what a user may want to know. They never print.
class OCELLUS_API Log {
 public:
  enum class Level { debug, info, warning };
  virtual ~Log();
  virtual void write(Level level, const std::string& line) = 0;
  void debug(const std::string& line) { write(Level::debug, line); }
  void info(const std::string& line) { write(Level::info, line); }
  void warning(const std::string& line) { write(Level::warning, line); }
};

class OCELLUS_API SilentLog : public Log {
 public:
  ~SilentLog() override;
  void write(Level, const std::string&) override {}
};

}  // namespace ocellus
