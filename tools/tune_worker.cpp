#include "tune_worker.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>

#include "ocellus/core/error.hpp"
#include "terminal.hpp"

extern char** environ;

// What goes between the two, a line each:
//   question: slowest TAB algorithm TAB problem
//   answer:   "good" milliseconds runs error allowed repeatable, or "bad" and why
namespace ocellus::tools {

TuneWorker::TuneWorker(int device, double limit) : device_(device), limit_(limit) {
  // Writing to a worker that is gone is an error to handle, not a signal to die of.
  std::signal(SIGPIPE, SIG_IGN);
}

TuneWorker::~TuneWorker() { stop(); }

void TuneWorker::start() {
  std::array<int, 2> questions{}, answers{};
  if (::pipe2(questions.data(), O_CLOEXEC) != 0) throw Error("no pipe for a process that tries");
  if (::pipe2(answers.data(), O_CLOEXEC) != 0) {
    ::close(questions[0]);
    ::close(questions[1]);
    throw Error("no pipe for a process that tries");
  }
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  std::string words[] = {program, "--worker", std::to_string(device_)};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, questions[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, answers[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int failed = posix_spawn(&pid_, program.c_str(), &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  ::close(questions[0]);
  ::close(answers[1]);
  to_ = questions[1];
  from_ = answers[0];
  if (!failed) return;
  pid_ = 0;
  throw Error(fmt::format("{} cannot be started: {}", program, std::strerror(failed)));
}

std::string TuneWorker::farewell() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  ::close(to_);
  ::close(from_);
  pid_ = 0;
  if (WIFSIGNALED(status)) return fmt::format("crashed (signal {})", WTERMSIG(status));
  return fmt::format("ended the process (exit code {})", WEXITSTATUS(status));
}

void TuneWorker::stop() {
  if (!pid_) return;
  ::kill(pid_, SIGKILL);
  farewell();
}

TuneWorker::Answer TuneWorker::ask(const opencl::TuningProblem& problem,
                                   const std::string& algorithm, double slowest) {
  if (!pid_) start();
  const std::string question = fmt::format("{}\t{}\t{}\n", slowest, algorithm, problem.text());
  // Shorter than a pipe holds: it is taken as a whole or not at all.
  if (::write(to_, question.data(), question.size()) < 0) return {{}, farewell()};

  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(limit_);
  std::string line;
  while (!line.ends_with('\n')) {
    if (interrupted()) {
      stop();
      throw Interrupted("stopped");
    }
    const double left = std::chrono::duration<double, std::milli>(end - Clock::now()).count();
    if (left <= 0) {
      stop();
      return {{}, fmt::format("did not end within {}", human_seconds(limit_)), true};
    }
    pollfd wait{from_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(left) + 1) <= 0) continue;  // the time, or a signal
    std::array<char, 256> piece{};
    const ssize_t n = ::read(from_, piece.data(), piece.size());
    if (n == 0) return {{}, farewell()};
    if (n > 0) line.append(piece.data(), static_cast<size_t>(n));
  }
  line.pop_back();
  Answer answer;
  reference::Measurement& m = answer.measurement;
  int repeatable = 0;
  if (std::sscanf(line.c_str(), "good %lf %d %lf %lf %d", &m.milliseconds, &m.runs, &m.error,
                  &m.allowed, &repeatable) == 5)
    m.repeatable = repeatable != 0;
  else
    answer.failure = line.starts_with("bad ") ? line.substr(4) : "gave no answer";
  return answer;
}

namespace {

std::string first_line(std::string text) { return text.substr(0, text.find('\n')); }

}  // namespace

int serve_tuning(int device_index) {
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is the other process's: it ends this one
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  std::shared_ptr<opencl::Device> device;
  std::optional<reference::Candidates> candidates;
  std::string slowest, algorithm, problem, last;
  while (std::getline(std::cin, slowest, '\t') && std::getline(std::cin, algorithm, '\t') &&
         std::getline(std::cin, problem)) {
    std::string answer;
    try {
      if (!device) device = opencl::Device::open({.selector = std::to_string(device_index)});
      if (problem != last) {
        candidates.reset();  // gives its memory back before the next takes some
        device->trim();
        last.clear();
        candidates.emplace(*device, opencl::TuningProblem::parse(problem));
        last = problem;
      }
      const auto m = candidates->measure(algorithm, std::stod(slowest));
      answer = fmt::format("good {} {} {} {} {}", m.milliseconds, m.runs, m.error, m.allowed,
                           m.repeatable ? 1 : 0);
    } catch (const std::exception& e) {
      answer = "bad " + first_line(e.what());
    }
    // The newline ends the answer: a crash while it is written leaves none.
    std::fputs((answer + "\n").c_str(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace ocellus::tools
