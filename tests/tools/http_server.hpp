#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ocellus::test {

/// What the server has under a path, and how badly it serves it.
struct Resource {
  std::string body;
  std::string etag;      ///< empty: none is sent
  std::string location;  ///< a redirection
  int status = 200;
  bool ranges = true;      ///< false: Range is ignored
  size_t range_shift = 0;  ///< a range begins so many bytes behind what was asked for
  int cuts = 0;            ///< so many answers break off ...
  size_t cut_after = 0;    ///< ... behind so many bytes of theirs
  bool stalls = false;     ///< an answer that would break off stops there, and the connection stays
  std::string header;      ///< further lines
};

/// A request that came.
struct Seen {
  std::string path, range, if_range;
};

/// An HTTP/1.1 server on the loopback interface, a thread a connection, a request a connection.
class HttpServer {
 public:
  HttpServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no server on the loopback interface");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~HttpServer() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& t : workers_) t.join();
    ::close(listener_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string address(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  void put(const std::string& path, Resource resource) {
    const std::lock_guard lock(mutex_);
    resources_[path] = std::move(resource);
  }
  /// Requests since the last call.
  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex_);
    return std::exchange(seen_, {});
  }
  /// Waits until an answer stalls. False after ten seconds.
  bool wait_for_stall() {
    std::unique_lock lock(mutex_);
    return stalled_.wait_for(lock, std::chrono::seconds(10), [&] { return stalling_ > 0; });
  }

 private:
  void accept_all() {
    while (!stop_) {
      pollfd p{listener_, POLLIN, 0};
      if (::poll(&p, 1, 50) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) workers_.emplace_back([this, fd] { serve(fd), ::close(fd); });
    }
  }

  static std::string field(const std::string& request, const std::string& name) {
    const size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
  }
  static void send(int fd, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }

  void serve(int fd) {
    std::string request;
    char piece[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
      if (n <= 0) return;
      request.append(piece, static_cast<size_t>(n));
    }
    const size_t begin = request.find(' ') + 1;
    const Seen seen{request.substr(begin, request.find(' ', begin) - begin),
                    field(request, "Range"), field(request, "If-Range")};
    Resource r{"nothing here", "", "", 404};
    bool cut = false;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(seen);
      if (const auto found = resources_.find(seen.path); found != resources_.end()) {
        cut = found->second.cuts > 0;
        found->second.cuts -= cut;
        r = found->second;
      }
    }
    size_t from = 0;
    std::string head;
    const bool same = seen.if_range.empty() || seen.if_range == r.etag;
    if (r.status == 200 && r.ranges && same && seen.range.starts_with("bytes=")) {
      from = std::stoul(seen.range.substr(6)) + r.range_shift;
      const std::string all = std::to_string(r.body.size());
      r.status = from < r.body.size() ? 206 : 416;
      head = "Content-Range: bytes " +
             (r.status == 416
                  ? "*/" + all
                  : std::to_string(from) + "-" + std::to_string(r.body.size() - 1) + "/" + all) +
             "\r\n";
      if (r.status == 416) from = r.body.size();
    }
    const std::string body = r.body.substr(from);
    if (!r.etag.empty()) head += "ETag: " + r.etag + "\r\n";
    if (!r.location.empty()) head += "Location: " + r.location + "\r\n";
    send(fd, "HTTP/1.1 " + std::to_string(r.status) +
                 " X\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n" + head + r.header + "\r\n");
    send(fd, cut ? body.substr(0, r.cut_after) : body);
    if (cut && r.stalls) stall(fd);
  }

  /// Keeps the connection, silently, until the client or the test goes.
  void stall(int fd) {
    {
      const std::lock_guard lock(mutex_);
      ++stalling_;
    }
    stalled_.notify_all();
    pollfd p{fd, POLLIN | POLLRDHUP, 0};
    while (!stop_ && ::poll(&p, 1, 50) == 0) {
    }
    const std::lock_guard lock(mutex_);
    --stalling_;
  }

  int listener_ = -1, port_ = 0, stalling_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable stalled_;
  std::map<std::string, Resource> resources_;
  std::vector<Seen> seen_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

}  // namespace ocellus::test
