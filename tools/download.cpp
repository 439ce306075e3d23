#include "download.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/json.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

fs::path notes_of(const fs::path& partial) { return partial.string() + ".json"; }

}  // namespace

void remove_partial(const fs::path& partial) {
  std::error_code ignored;
  fs::remove(partial, ignored);
  fs::remove(notes_of(partial), ignored);
}

namespace {

/// The partial file, locked against a second program that fetches the same.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0)
      throw Error(fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno)));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw Error(fmt::format("{}: another 'ocellus fetch' is at it", path.string()));
    }
    size = ::lseek(fd_, 0, SEEK_END);
  }
  ~PartialFile() {
    ::close(fd_);
    // What failed to be written frees the disk; nothing is nothing to go on with.
    if (!whole && (error || size == 0)) remove_partial(path_);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  bool append(const char* data, size_t n) {
    while (n > 0) {
      const ssize_t written = ::write(fd_, data, n);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return error = errno, false;
      data += written;
      n -= static_cast<size_t>(written);
      size += written;
    }
    return true;
  }
  bool clear() {
    size = 0;
    if (::ftruncate(fd_, 0) == 0 && ::lseek(fd_, 0, SEEK_SET) == 0) return true;
    return error = errno, false;
  }
  const fs::path& path() const { return path_; }

  int64_t size = 0;
  int error = 0;       ///< errno of the first write that failed
  bool whole = false;  ///< all of it has come

 private:
  fs::path path_;
  int fd_ = -1;
};

/// Keeps beside the partial file what tells its version; without it a later try cannot go on, so
/// failing is no error.
void note(const Download& what, const fs::path& partial, const std::string& validator) {
  std::error_code ignored;
  fs::remove(notes_of(partial), ignored);
  if (validator.empty()) return;
  const Json notes = Json::Object{{"address", what.address}, {"validator", validator}};
  try {
    write_atomically(notes_of(partial), notes.dump() + "\n");
  } catch (const Error&) {
  }
}

/// The ETag or date of what lies in the partial file; empty when nobody knows.
std::string validator_of(const Download& what, const fs::path& partial) {
  try {
    const Json notes = Json::parse(read_text(notes_of(partial)), "notes");
    if (notes.get("address", "") == what.address) return notes.get("validator", "");
  } catch (const DataError&) {
  }
  return {};
}

/// One request and what its response says.
struct Request {
  const Download& what;
  PartialFile& file;
  Terminal& terminal;
  CURL* curl = nullptr;
  int64_t asked_from = 0;                     ///< the first byte asked for
  int64_t length = -1;                        ///< Content-Length
  int64_t range_from = -1, range_total = -1;  ///< Content-Range: first byte, and of how many
  std::string etag, date;                     ///< validators
  bool begun = false;                         ///< the first byte of the body has come
  bool wrong_part = false;                    ///< other bytes came than were asked for
  bool silent = false;                        ///< given up because no byte came
  std::string refusal;                        ///< why the body is not wanted
  Clock::time_point start = Clock::now(), last_byte = start;

  long status() const {
    long code = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  /// Bytes of the whole file, as the server says; -1: it does not.
  int64_t total() const { return status() == 200 ? length : range_total; }
  void header(std::string_view line);
  bool begin();
};

void Request::header(std::string_view line) {
  // A redirection has headers too; those of the last response count.
  if (line.starts_with("HTTP/")) {
    length = range_from = range_total = -1;
    etag.clear();
    date.clear();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string value(trim(line.substr(colon + 1)));
  if (name == "etag" && !value.starts_with("W/")) etag = value;  // a weak one says too little
  if (name == "last-modified") date = value;
  if (name == "content-length") length = std::atoll(value.c_str());
  if (name == "content-range") {  // "bytes 100-199/200", "bytes */200"
    long long from = -1, all = -1;
    if (std::sscanf(value.c_str(), "bytes %lld-%*d/%lld", &from, &all) != 2)
      std::sscanf(value.c_str(), "bytes */%lld", &all);
    range_from = from;
    range_total = all;
  }
}

/// Decides, before the first byte is written, what the body is. False: not wanted.
bool Request::begin() {
  begun = true;
  const bool part = status() == 206;
  wrong_part = part && range_from != asked_from;
  if (wrong_part) return false;
  if (what.size && total() >= 0 && total() != *what.size) {
    refusal =
        fmt::format("the server has a file of {} bytes, expected are {}", total(), *what.size);
    return false;
  }
  if (!part && !file.clear()) return false;
  note(what, file.path(), etag.empty() ? date : etag);
  return true;
}

size_t on_header(char* data, size_t, size_t n, void* user) {
  static_cast<Request*>(user)->header({data, n});
  return n;
}

size_t on_body(char* data, size_t, size_t n, void* user) {
  auto& r = *static_cast<Request*>(user);
  if (!r.begun && !r.begin()) return 0;
  r.last_byte = Clock::now();
  return r.file.append(data, n) ? n : 0;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& r = *static_cast<Request*>(user);
  const int64_t total = r.what.size.value_or(r.total());
  const double seconds = std::chrono::duration<double>(Clock::now() - r.start).count();
  const double speed = static_cast<double>(r.file.size - r.asked_from) / std::max(seconds, 0.1);
  if (r.begun)
    r.terminal.update(r.what.label, r.file.size, total,
                      fmt::format("{}  {}/s", human_bytes(static_cast<double>(r.file.size)),
                                  human_bytes(std::max(speed, 0.0))));
  r.silent = Clock::now() - r.last_byte > std::chrono::seconds(r.what.timeout);
  return r.terminal.stop_requested() || r.silent;
}

std::string kept(const PartialFile& file, const Download& what) {
  if (file.size == 0) return "nothing had come yet; the same command tries again";
  const std::string of =
      what.size ? " of " + human_bytes(static_cast<double>(*what.size)) : std::string();
  return fmt::format("{}{} are kept; the same command goes on from there",
                     human_bytes(static_cast<double>(file.size)), of);
}

bool worth_another_try(CURLcode code, long status) {
  switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
      return status >= 500 || status == 408 || status == 429;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_COULDNT_CONNECT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

enum class Outcome { done, again, restart };

/// Whether the response that ended with `code` makes the file whole; throws what another try would
/// not mend.
Outcome judge(CURLcode code, Request& r, const std::string& reason) {
  const std::string at = r.what.address + ": ";
  if (r.terminal.stop_requested())
    throw Interrupted(fmt::format("stopped; {}", kept(r.file, r.what)));
  if (r.file.error)
    throw Error(
        fmt::format("{}: cannot be written: {}; make room, or set OCELLUS_CACHE to a folder "
                    "on another disk",
                    r.file.path().string(), std::strerror(r.file.error)));
  if (r.wrong_part) return Outcome::restart;
  if (!r.refusal.empty()) {
    r.file.clear();
    throw DataError(at + r.refusal);
  }
  if (code == CURLE_OK) return Outcome::done;
  const long status = r.status();
  if (code == CURLE_HTTP_RETURNED_ERROR) {
    // Nothing lies behind what we have: it is all, or it is no piece of this file.
    if (status == 416 && r.asked_from > 0)
      return r.total() == r.file.size ? Outcome::done : Outcome::restart;
    if (status == 404 || status == 410)
      throw DataError(
          fmt::format("{}no such file there ({}); a list with another address can be "
                      "given by --published, a copy by --from",
                      at, status));
  }
  if (worth_another_try(code, status)) return Outcome::again;
  throw Error(fmt::format("{}{}; {}", at, reason, kept(r.file, r.what)));
}

void set_options(CURL* curl, Request& r, char* reason) {
  curl_easy_setopt(curl, CURLOPT_URL, r.what.address.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  const bool secure = r.what.address.starts_with("https://");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "ocellus/" OCELLUS_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(r.what.timeout));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &r);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &r);
}

/// One try. `reason` becomes what curl says of it.
Outcome attempt(CURL* curl, const Download& what, PartialFile& file, Terminal& terminal,
                std::string& reason) {
  Request r{what, file, terminal, curl};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, curl_slist_free_all);
  const std::string validator = validator_of(what, file.path());
  if (file.size > 0 && validator.empty() && !what.verifiable) file.clear();
  curl_easy_reset(curl);
  std::array<char, CURL_ERROR_SIZE> said{};
  set_options(curl, r, said.data());
  if (file.size > 0) {
    r.asked_from = file.size;
    // Not CURLOPT_RESUME_FROM: that fails where a server sends the whole file instead.
    curl_easy_setopt(curl, CURLOPT_RANGE, fmt::format("{}-", file.size).c_str());
    if (!validator.empty())
      headers.reset(curl_slist_append(nullptr, ("If-Range: " + validator).c_str()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  }
  CURLcode code = curl_easy_perform(curl);
  reason = said[0] ? said.data() : curl_easy_strerror(code);
  if (r.wrong_part) reason = "the server sent other bytes than those asked for";
  if (r.silent) {
    code = CURLE_OPERATION_TIMEDOUT;
    reason = fmt::format("no byte for {} s", what.timeout);
  }
  if (code == CURLE_OK && !r.begun && !r.begin()) return judge(CURLE_WRITE_ERROR, r, reason);
  return judge(code, r, reason);
}

}  // namespace

bool download(const Download& what, const fs::path& partial, Terminal& terminal) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw Error("libcurl cannot start");
  PartialFile file(partial);
  if (what.size && file.size > *what.size) file.clear();
  bool one_piece = file.size == 0;
  file.whole = what.size && file.size == *what.size;
  if (file.whole) return one_piece;

  std::string reason;
  for (int failures = 0;;) {
    const int64_t before = file.size;
    const Outcome outcome = attempt(curl.get(), what, file, terminal, reason);
    file.whole = outcome == Outcome::done;
    if (file.whole) return one_piece;
    if (outcome == Outcome::restart) file.clear();
    one_piece = file.size == 0;
    // A connection that brought something may break as often as it likes.
    failures = file.size > before ? 1 : failures + 1;
    if (failures > what.retries)
      throw Error(fmt::format("{}: {}; {}", what.address, reason, kept(file, what)));
    terminal.info(fmt::format("{}: {}; trying again", what.label, reason));
    for (int tick = 0; tick < 10 * failures && !terminal.stop_requested(); ++tick)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace ocellus::tools
