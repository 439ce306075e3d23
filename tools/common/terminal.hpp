#pragma once

#include <chrono>
#include <set>
#include <string>

#include "ocellus/core/progress.hpp"

namespace ocellus::tools {

/// Ctrl-C (and SIGTERM) ask the work to stop; the second one kills. Call once, before any work.
void catch_signals();
bool interrupted();

/// What a program tells a person while it works, on standard error: one line with a bar where that
/// is a terminal, a line now and then where it is not. The one object owns both progress and log,
/// because a line of the log must not be torn by the bar.
class Terminal : public Progress, public Log {
 public:
  Terminal();
  ~Terminal() override;

  void update(const std::string& label, int64_t done, int64_t total,
              const std::string& detail) override;
  bool stop_requested() const override;
  void write(Level level, const std::string& line) override;

  /// Takes the bar away, so that other text may follow.
  void finish_line();

  bool quiet = false;         ///< warnings only
  bool verbose = false;       ///< debug lines too
  double budget_seconds = 0;  ///< stop_requested() after that long; 0: never

 private:
  using Clock = std::chrono::steady_clock;
  std::string bar(const std::string& label, int64_t done, int64_t total,
                  const std::string& detail) const;

  const bool is_terminal_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point label_begin_ = begin_, shown_ = begin_;
  std::string label_;
  bool bar_stands_ = false;
  std::set<std::string> warned_;
};

/// "1m 04s", "12 s", "0.3 s"
std::string human_seconds(double seconds);
/// "90", "90s", "10m", "1h" in seconds; 0 for an empty text. Throws UsageError naming `flag`.
double seconds_of(const std::string& flag, const std::string& text);

}  // namespace ocellus::tools
