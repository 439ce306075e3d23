// The real ocellus-fetch against a server on the loopback interface that misbehaves as asked.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "core/temporary.hpp"
#include "ocellus/core/dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/hash.hpp"
#include "ocellus/core/json.hpp"
#include "ocellus/core/published.hpp"
#include "ocellus/core/registry.hpp"
#include "tools/archives.hpp"
#include "tools/http_server.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

constexpr size_t body_size = 1 << 20;

/// Bytes without a pattern that a wrong offset could hide in.
std::string body(uint32_t seed = 1) {
  std::string bytes(body_size, '\0');
  for (char& c : bytes) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

struct Ran {
  int code = -1;
  std::string out, err;
};

/// A server, a cache and a list of one item, `toy`, of one file.
struct Place : TemporaryDirectory {
  HttpServer server;

  Place() { publish(body()); }

  fs::path folder() const { return path() / "cache" / "published" / "toy"; }
  fs::path file() const { return folder() / "toy.bin"; }
  fs::path partial() const { return folder() / "toy.bin.part"; }

  /// Lists toy.bin as `truth`, wherever the server really has.
  void publish(const std::string& truth, bool hashed = true, const std::string& name = "toy.bin",
               const std::string& more = "") {
    write_atomically(path() / "truth", truth);
    list(fmt::format(
        R"({{"name": "toy", "licence": "MIT", "files": [{{"name": "{}",
                     "address": "{}", "size": {}{}{}}}]}})",
        name, server.address("/toy"), truth.size(),
        hashed ? fmt::format(R"(, "hash": "{}")", hash_file(path() / "truth", "sha256")) : "",
        more));
  }
  void list(const std::string& items) const {
    write_atomically(path() / "list.json",
                     R"({"schema": "ocellus published 1", "items": [)" + items + "]}");
  }

  pid_t start(std::vector<std::string> words, rlim_t file_limit = RLIM_INFINITY) const {
    words.insert(words.begin(), OCELLUS_FETCH);
    std::vector<std::string> environment = {"OCELLUS_CACHE=" + (path() / "cache").string(),
                                            "OCELLUS_PUBLISHED=" + (path() / "list.json").string(),
                                            "NO_PROXY=127.0.0.1", "PATH=/usr/bin:/bin"};
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"})
      if (const char* value = std::getenv(name))
        environment.push_back(std::string(name) + "=" + value);
    std::vector<char*> argv, env;
    for (std::string& w : words) argv.push_back(w.data());
    for (std::string& e : environment) env.push_back(e.data());
    argv.push_back(nullptr);
    env.push_back(nullptr);
    const std::string out = (path() / "out").string(), err = (path() / "err").string();
    const pid_t child = fork();
    if (child == 0) {  // only what may follow a fork of a program with threads
      const int flags = O_WRONLY | O_CREAT | O_TRUNC;
      dup2(open(out.c_str(), flags, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), flags, 0600), STDERR_FILENO);
      const rlimit limit{file_limit, file_limit};
      setrlimit(RLIMIT_FSIZE, &limit);
      signal(SIGXFSZ, SIG_IGN);  // write() then fails with EFBIG, as it does with ENOSPC
      execve(argv[0], argv.data(), env.data());
      _exit(127);
    }
    return child;
  }
  Ran wait(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_text(path() / "out"),
            read_text(path() / "err")};
  }
  Ran fetch(std::vector<std::string> words, rlim_t file_limit = RLIM_INFINITY) const {
    return wait(start(std::move(words), file_limit));
  }
  /// Not even the folder is left of an item that did not come.
  bool nothing_left() const { return !fs::exists(folder()); }
};

void check_says(const Ran& ran, int code, const std::vector<std::string>& parts) {
  BOOST_TEST(ran.code == code, "exit code " << ran.code << ": " << ran.err);
  for (const std::string& part : parts)
    BOOST_TEST(ran.err.find(part) != std::string::npos, "'" << part << "' is not in: " << ran.err);
}

void check_fetched(const Place& place, const Ran& ran, const std::string& expected) {
  BOOST_TEST(ran.code == 0, ran.err);
  BOOST_REQUIRE(fs::exists(place.file()));
  BOOST_TEST((read_text(place.file()) == expected));
  BOOST_TEST(std::distance(fs::directory_iterator(place.folder()), {}) == 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(whole_and_once) {
  Place place;
  place.server.put("/toy", {body()});
  const Ran ran = place.fetch({"toy"});
  check_fetched(place, ran, body());
  BOOST_TEST(ran.out == place.folder().string() + "\n");
  BOOST_TEST(place.server.seen().size() == 1);
  check_says(place.fetch({"toy"}), 0, {"was there already"});
  BOOST_TEST(place.server.seen().empty());
  BOOST_TEST(place.fetch({"toy", "--force"}).code == 0);
  BOOST_TEST(place.server.seen().size() == 1);
  const Json list = Json::parse(place.fetch({"--list", "--json"}).out, "list");
  const Json& last = list.at(list.size() - 1);
  BOOST_TEST(last.get("name", "") == "toy");
  BOOST_TEST(last.get("cached", false));
}

BOOST_AUTO_TEST_CASE(a_cut_connection_is_gone_on_with) {
  Place place;
  Resource r{body(), "\"v1\""};
  r.cuts = 1;
  r.cut_after = 400000;
  place.server.put("/toy", r);
  const Ran cut = place.fetch({"toy", "--retries", "0"});
  check_says(cut, 1, {"400 kB of 1.0 MB are kept", "the same command goes on"});
  BOOST_TEST(fs::file_size(place.partial()) == 400000u);
  BOOST_TEST(!fs::exists(place.file()));
  place.server.seen();
  check_fetched(place, place.fetch({"toy"}), body());
  const auto seen = place.server.seen();
  BOOST_REQUIRE(seen.size() == 1);
  BOOST_TEST(seen[0].range == "bytes=400000-");
  BOOST_TEST(seen[0].if_range == "\"v1\"");
}

BOOST_AUTO_TEST_CASE(it_tries_again_by_itself) {
  Place place;
  Resource r{body()};
  r.cuts = 2;
  r.cut_after = 300000;
  place.server.put("/toy", r);
  const Ran ran = place.fetch({"toy", "--retries", "1"});
  check_fetched(place, ran, body());
  check_says(ran, 0, {"trying again"});
  const auto seen = place.server.seen();
  BOOST_REQUIRE(seen.size() == 3);
  BOOST_TEST(seen[2].range == "bytes=600000-");
}

BOOST_AUTO_TEST_CASE(a_server_without_ranges) {
  Place place;
  Resource r{body()};
  r.ranges = false;
  r.cuts = 1;
  r.cut_after = 400000;
  place.server.put("/toy", r);
  check_fetched(place, place.fetch({"toy"}), body());
  const auto seen = place.server.seen();
  BOOST_REQUIRE(seen.size() == 2);
  BOOST_TEST(seen[1].range == "bytes=400000-");
}

BOOST_AUTO_TEST_CASE(a_server_that_sends_other_bytes) {
  Place place;
  Resource r{body()};
  r.range_shift = 1000;
  r.cuts = 1;
  r.cut_after = 400000;
  place.server.put("/toy", r);
  check_fetched(place, place.fetch({"toy"}), body());
  const auto seen = place.server.seen();
  BOOST_REQUIRE(seen.size() == 3);
  BOOST_TEST(seen[1].range == "bytes=400000-");
  BOOST_TEST(seen[2].range == "");
}

BOOST_AUTO_TEST_CASE(nothing_behind_what_is_there) {
  // Stopped between the last byte and the verification, and a list that tells no size.
  for (const bool whole : {true, false}) {
    Place place;
    place.list(R"({"name": "toy", "files": [{"name": "toy.bin", "address": ")" +
               place.server.address("/toy") + R"(", "hash": ")" +
               hash_file(place / "truth", "sha256") + "\"}]}");
    place.server.put("/toy", {body()});
    fs::create_directories(place.folder());
    write_atomically(place.partial(), whole ? body() : body() + "more");
    check_fetched(place, place.fetch({"toy"}), body());
    BOOST_TEST(place.server.seen().size() == (whole ? 1u : 2u));  // "416 Range Not Satisfiable"
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_changed_meanwhile) {
  for (const bool validators : {true, false}) {
    Place place;
    Resource r{body(7), validators ? "\"old\"" : ""};
    r.cuts = 1;
    r.cut_after = 400000;
    place.server.put("/toy", r);
    BOOST_TEST(place.fetch({"toy", "--retries", "0"}).code == 1);
    place.server.put("/toy", {body(), validators ? "\"new\"" : ""});
    place.server.seen();
    const Ran ran = place.fetch({"toy"});
    check_fetched(place, ran, body());
    // With a validator the server sends the new file at once; without, the hash tells.
    BOOST_TEST(place.server.seen().size() == (validators ? 1u : 2u));
    if (!validators) check_says(ran, 0, {"the pieces do not fit together"});
  }
}

BOOST_AUTO_TEST_CASE(nobody_could_tell_so_it_begins_anew) {
  Place place;
  place.publish(body(), false);
  Resource r{body(7)};
  r.cuts = 1;
  r.cut_after = 400000;
  place.server.put("/toy", r);
  BOOST_TEST(place.fetch({"toy", "--retries", "0"}).code == 1);
  place.server.put("/toy", {body()});
  place.server.seen();
  const Ran ran = place.fetch({"toy"});
  check_fetched(place, ran, body());
  BOOST_TEST(place.server.seen().at(0).range == "");
  check_says(ran, 0, {"no hash is published", hash_file(place / "truth", "sha256")});
}

BOOST_AUTO_TEST_CASE(a_wrong_hash) {
  Place place;
  place.server.put("/toy", {body(2)});
  write_atomically(place / "wrong", body(2));
  check_says(place.fetch({"toy"}), 5,
             {hash_file(place / "wrong", "sha256"), hash_file(place / "truth", "sha256"),
              "nothing was kept"});
  BOOST_TEST(place.nothing_left());
}

BOOST_AUTO_TEST_CASE(a_wrong_size_is_refused_at_once) {
  Place place;
  place.server.put("/toy", {body() + "x"});
  check_says(place.fetch({"toy"}), 5, {"1048577 bytes, expected are 1048576"});
  BOOST_TEST(place.nothing_left());
}

BOOST_AUTO_TEST_CASE(a_page_instead_of_weights) {
  Place place;
  place.publish("<html>please log in</html>", false, "toy.h5");
  place.server.put("/toy", {"<html>please log in</html>"});
  check_says(place.fetch({"toy"}), 5, {"is not an HDF5 file"});
  BOOST_TEST(place.nothing_left());
}

BOOST_AUTO_TEST_CASE(answers_that_are_none) {
  Place place;
  check_says(place.fetch({"toy"}), 5, {"no such file there (404)", "--from"});
  BOOST_TEST(place.nothing_left());
  place.server.seen();
  place.server.put("/toy", {"busy", "", "", 503});
  check_says(place.fetch({"toy", "--retries", "1"}), 1, {"503"});
  BOOST_TEST(place.server.seen().size() == 2);
  place.server.put("/toy", {"no", "", "", 403});
  check_says(place.fetch({"toy"}), 1, {"403"});
  BOOST_TEST(place.server.seen().size() == 1);
  place.server.put("/toy", {"", "", place.server.address("/there"), 302});
  place.server.put("/there", {body()});
  check_fetched(place, place.fetch({"toy"}), body());
  // A port where nobody listens: bound and closed again.
  place.list(R"({"name": "toy", "files": [{"name": "toy.bin", "address": ")" +
             std::make_unique<HttpServer>()->address("/toy") + "\"}]}");
  check_says(place.fetch({"toy", "--force", "--retries", "0"}), 1, {"connect", "nothing had come"});
  place.list(
      R"({"name": "toy", "files": [{"name": "toy.bin", "address": "http://host.invalid/"}]})");
  check_says(place.fetch({"toy", "--force", "--retries", "0"}), 1, {"resolve"});
  BOOST_TEST((read_text(place.file()) == body()));  // what was there stays
}

BOOST_AUTO_TEST_CASE(a_server_that_falls_silent) {
  Place place;
  Resource r{body(), "\"v\""};
  r.cuts = 1;
  r.cut_after = 300000;
  r.stalls = true;
  place.server.put("/toy", r);
  check_says(place.fetch({"toy", "--timeout", "3", "--retries", "0"}), 1,
             {"no byte for 3 s", "300 kB of 1.0 MB are kept"});
  check_fetched(place, place.fetch({"toy"}), body());
}

BOOST_AUTO_TEST_CASE(ctrl_c_keeps_what_came) {
  Place place;
  Resource r{body(), "\"v\""};
  r.cuts = 1;
  r.cut_after = 300000;
  r.stalls = true;
  place.server.put("/toy", r);
  const pid_t child = place.start({"toy"});
  BOOST_REQUIRE(place.server.wait_for_stall());
  while (!fs::exists(place.partial()) || fs::file_size(place.partial()) < 300000)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  {
    Place other;  // a second program must not write into the same file
    fs::remove_all(other.path() / "cache");
    fs::create_directory_symlink(place.path() / "cache", other.path() / "cache");
    check_says(other.fetch({"toy"}), 1, {"another 'ocellus fetch' is at it"});
  }
  kill(child, SIGINT);
  check_says(place.wait(child), 130, {"300 kB of 1.0 MB are kept", "the same command goes on"});
  BOOST_TEST(fs::file_size(place.partial()) == 300000u);
  place.server.seen();
  check_fetched(place, place.fetch({"toy"}), body());
  BOOST_TEST(place.server.seen().at(0).range == "bytes=300000-");
}

BOOST_AUTO_TEST_CASE(a_full_disk) {
  Place place;
  place.server.put("/toy", {body()});
  check_says(place.fetch({"toy"}, 500000), 1, {"cannot be written: File too large", "make room"});
  BOOST_TEST(place.nothing_left());
  // The same when the copy comes from a file.
  check_says(place.fetch({"toy", "--from", (place / "truth").string()}, 500000), 1,
             {"cannot be copied"});
  BOOST_TEST(place.nothing_left());
  // A file that could never fit is not begun.
  place.server.seen();
  place.list(R"({"name": "toy", "files": [{"name": "toy.bin", "address": ")" +
             place.server.address("/toy") + R"(", "size": 900000000000000000}]})");
  check_says(place.fetch({"toy"}), 1, {"needs 900 PB", "are free"});
  BOOST_TEST(place.server.seen().empty());
}

BOOST_AUTO_TEST_CASE(from_a_file_or_folder) {
  Place place;
  check_fetched(place, place.fetch({"toy", "--from", (place / "truth").string()}), body());
  BOOST_TEST(place.server.seen().empty());
  fs::remove_all(place.folder());
  fs::create_directory(place / "disc");
  check_says(place.fetch({"toy", "--from", (place / "disc").string()}), 5, {"toy.bin: no such"});
  write_atomically(place / "disc" / "toy.bin", body(3));
  check_says(place.fetch({"toy", "--from", (place / "disc").string()}), 5, {"expected is sha256:"});
  BOOST_TEST((read_text(place / "disc" / "toy.bin") == body(3)));  // only the copy was removed
  write_atomically(place / "disc" / "toy.bin", body());
  check_fetched(place, place.fetch({"toy", "--from", (place / "disc").string()}), body());
  check_says(place.fetch({"toy", "--force", "--from", "/nowhere"}), 5, {"no such file or folder"});
}

BOOST_AUTO_TEST_CASE(names) {
  Place place;
  place.list(fmt::format(
      R"({{"name": "a", "needs": ["b"], "files": [{{"name": "1", "address": "{0}"}},
                                                 {{"name": "2", "address": "{0}"}}]}},
         {{"name": "b", "needs": ["a"], "files": [{{"name": "3", "address": "{0}"}}]}})",
      place.server.address("/toy")));
  place.server.put("/toy", {"text"});
  write_atomically(place / "cache", std::string_view("a file where the folder should be"));
  check_says(place.fetch({"b"}), 1, {"cannot be made", "OCELLUS_CACHE"});
  fs::remove(place / "cache");
  check_says(place.fetch({"aa"}), 2, {"did you mean 'a'?"});
  check_says(place.fetch({"a", "--from", (place / "list.json").string()}), 2, {"has 2 files"});
  const Ran ran = place.fetch({"a", "b", "--json"});
  BOOST_TEST(ran.code == 0, ran.err);
  const Json report = Json::parse(ran.out, "report");
  BOOST_REQUIRE(report.size() == 2);
  BOOST_TEST(report.at(0).at("files").dump() == R"(["1","2"])");
  BOOST_TEST(report.at(1).get("fetched", false));
  BOOST_TEST(place.server.seen().size() == 3);
  // One of the files is lost: only that one is fetched again.
  fs::remove(place / "cache" / "published" / "a" / "2");
  BOOST_TEST(place.fetch({"a"}).code == 0);
  BOOST_TEST(place.server.seen().size() == 1);
}

BOOST_AUTO_TEST_CASE(data_sets_open_by_their_name) {
  Place place;
  // Two records for training and one for testing, as the binary version has them.
  const auto record = [](char label, char pixel) {
    return std::string(1, label) + std::string(3072, pixel);
  };
  write_archive(place / "c.tar.gz",
                {{"cifar-10-batches-bin/data_batch_1.bin", record(3, 10) + record(0, 20), ""},
                 {"cifar-10-batches-bin/test_batch.bin", record(1, 30), ""},
                 {"cifar-10-batches-bin/batches.meta.txt", "plane\ncar\nbird\ncat\n", ""},
                 {"cifar-10-batches-bin/readme.html", "", ""}});
  place.server.put("/c.tar.gz", {read_text(place / "c.tar.gz")});
  place.list(fmt::format(R"({{"name": "cifar10", "files": [{{"name": "c.tar.gz", "address": "{}",
      "hash": "{}", "unpack": ["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"]}}]}})",
                         place.server.address("/c.tar.gz"), hash_file(place / "c.tar.gz", "md5")));
  setenv("OCELLUS_CACHE", (place / "cache").c_str(), 1);
  setenv("OCELLUS_PUBLISHED", (place / "list.json").c_str(), 1);
  Registry registry;
  registry.load(default_plugin_directory() / "datasets.so");
  BOOST_CHECK_EXCEPTION(open_dataset(registry, "cifar10", "test"), DataError,
                        says("cifar10: not in the cache; run: ocellus fetch cifar10"));
  BOOST_CHECK_EXCEPTION(open_dataset(registry, "mnist", "test"), DataError,
                        says("run: ocellus fetch mnist"));
  check_says(place.fetch({"cifar10"}), 0, {"unpacking"});
  BOOST_TEST(!fs::exists(place / "cache" / "published" / "cifar10" / "c.tar.gz.part"));
  const auto train = open_dataset(registry, "cifar10", "train");
  BOOST_TEST(train->size() == 2);
  BOOST_TEST(train->classes().at(3) == "cat");
  Samples samples;
  train->read(std::vector<int64_t>{0}, samples);
  BOOST_TEST(samples.targets.i32()[0] == 3);
  BOOST_TEST(samples.images.u8()[0] == 10);
  unsetenv("OCELLUS_CACHE");
  unsetenv("OCELLUS_PUBLISHED");
}
