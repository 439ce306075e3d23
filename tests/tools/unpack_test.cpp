#include "../../tools/unpack.hpp"

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "tools/archives.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

struct Folder : TemporaryDirectory {
  Folder() { fs::create_directory(to()); }
  fs::path file() const { return path() / "a.tar.gz"; }
  fs::path to() const { return path() / "to"; }
  void unpack(const std::vector<std::string>& names, bool stop = false) const {
    tools::unpack(file(), names, to(), [stop] { return stop; });
  }
  size_t files() const {
    size_t n = 0;
    for ([[maybe_unused]] const auto& e : fs::recursive_directory_iterator(path())) ++n;
    return n;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(only_what_is_named) {
  const Folder f;
  write_archive(f.file(), {{"top/x.bin", std::string(200000, 'x'), ""},
                           {"top/other", "no", ""},
                           {"../../evil.bin", "evil", ""},
                           {"/absolute.bin", "evil", ""},
                           {"top/link", "", "/etc/passwd"},
                           {"y.txt", "", ""}});
  f.unpack({"x.bin", "y.txt"});
  BOOST_TEST((read_text(f.to() / "x.bin") == std::string(200000, 'x')));
  BOOST_TEST(read_text(f.to() / "y.txt") == "");
  BOOST_TEST(f.files() == 4u);  // the archive, the folder, two files
}

BOOST_AUTO_TEST_CASE(a_way_out_stays_inside) {
  const Folder f;
  write_archive(f.file(), {{"../../evil.bin", "evil", ""}});
  f.unpack({"evil.bin"});
  BOOST_TEST(read_text(f.to() / "evil.bin") == "evil");
  BOOST_TEST(!fs::exists(f.path().parent_path() / "evil.bin"));
}

BOOST_AUTO_TEST_CASE(links_are_no_files) {
  const Folder f;
  write_archive(f.file(), {{"a", "1", ""}, {"x.bin", "", "/etc/passwd"}});
  BOOST_CHECK_EXCEPTION(f.unpack({"a", "x.bin"}), DataError, says("holds no file 'x.bin'"));
  BOOST_TEST(f.files() == 2u);  // all files or none
}

BOOST_AUTO_TEST_CASE(bad_archives) {
  const Folder f;
  write_archive(f.file(), {{"a/x", "1", ""}, {"b/x", "2", ""}});
  BOOST_CHECK_EXCEPTION(f.unpack({"x"}), DataError, says("holds two files 'x'"));
  std::string noise(100000, '\0');
  uint32_t seed = 1;
  for (char& c : noise) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  write_archive(f.file(), {{"x", noise, ""}});
  const std::string good = read_text(f.file());
  write_atomically(f.file(), good.substr(0, good.size() / 2));
  BOOST_CHECK_EXCEPTION(f.unpack({"x"}), DataError, says("cannot be unpacked"));
  write_atomically(f.file(), std::string_view("no archive at all"));
  BOOST_CHECK_EXCEPTION(f.unpack({"x"}), DataError, says("cannot be unpacked"));
  BOOST_CHECK_EXCEPTION(tools::unpack(f / "none", {"x"}, f.to(), [] { return false; }), DataError,
                        says("cannot be unpacked"));
  write_atomically(f.file(), good);
  BOOST_CHECK_EXCEPTION(f.unpack({"x"}, true), Interrupted, says("same command"));
  BOOST_TEST(f.files() == 2u);
}
