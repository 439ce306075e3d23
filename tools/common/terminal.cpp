#include "terminal.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "ocellus/core/error.hpp"

namespace ocellus::tools {
namespace {

volatile sig_atomic_t stop_flag = 0;

void on_signal(int) {
  stop_flag = 1;
  constexpr char text[] = "\nstopping at the next safe point; once more kills\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

}  // namespace

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // The handler is for the first signal only; the second finds the default, which ends the process.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return stop_flag != 0; }

std::string human_seconds(double s) {
  if (s < 10) return fmt::format("{:.1f} s", s);
  const auto whole = static_cast<int64_t>(s + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

double seconds_of(const std::string& flag, const std::string& text) {
  if (text.empty()) return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || factor == 0 || value < 0)
    throw UsageError(fmt::format("{} {}: expected a time, as 90s, 10m or 1h", flag, text));
  return value * factor;
}

Terminal::Terminal() : is_terminal_(isatty(STDERR_FILENO)) {}
Terminal::~Terminal() { finish_line(); }

bool Terminal::stop_requested() const {
  if (interrupted()) return true;
  return budget_seconds > 0 &&
         std::chrono::duration<double>(Clock::now() - begin_).count() > budget_seconds;
}

void Terminal::finish_line() {
  if (bar_stands_) std::fputs("\r\033[K", stderr);
  bar_stands_ = false;
}

std::string Terminal::bar(const std::string& label, int64_t done, int64_t total,
                          const std::string& detail) const {
  const double share =
      total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
  constexpr int width = 24;
  const int full = static_cast<int>(share * width);
  const double spent = std::chrono::duration<double>(Clock::now() - label_begin_).count();
  std::string text = fmt::format("{} [{}{}] {:3.0f}%", label, std::string(full, '#'),
                                 std::string(width - full, '.'), share * 100);
  if (done > 0 && done < total && spent > 0.5)
    text += fmt::format("  {} left", human_seconds(spent / share * (1 - share)));
  return detail.empty() ? text : text + "  " + detail;
}

void Terminal::update(const std::string& label, int64_t done, int64_t total,
                      const std::string& detail) {
  if (quiet) return;
  const auto now = Clock::now();
  if (label != label_) {
    label_ = label;
    label_begin_ = shown_ = now;
    // A terminal shows the new label at once; a log file waits: most steps are over before a line
    // is worth it.
    if (!is_terminal_) return;
  } else if (now - shown_ <
             (is_terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10))) {
    return;
  }
  shown_ = now;
  const std::string text = bar(label, done, total, detail);
  if (is_terminal_) {
    std::fprintf(stderr, "\r\033[K%s", text.substr(0, terminal_width() - 1).c_str());
    std::fflush(stderr);
    bar_stands_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

void Terminal::write(Level level, const std::string& line) {
  if ((level == Level::debug && !verbose) || (level == Level::info && quiet)) return;
  // A remark of every checkpoint is worth one line, not sixty.
  if (level == Level::warning && !warned_.insert(line).second) return;
  finish_line();
  std::fprintf(stderr, "%s%s\n", level == Level::warning ? "warning: " : "", line.c_str());
}

}  // namespace ocellus::tools
