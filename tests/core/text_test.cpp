#include "ocellus/core/text.hpp"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"

using namespace ocellus;
using test::says;

BOOST_AUTO_TEST_CASE(nearest_means_what_was_meant) {
  const std::vector<std::string> words = {"filters", "kernel_size", "strides", "padding",
                                          "use_bias"};
  BOOST_TEST(nearest("fliters", words) == "filters");
  BOOST_TEST(nearest("filter", words) == "filters");
  BOOST_TEST(nearest("KERNEL_SIZE", words) == "kernel_size");
  BOOST_TEST(nearest("kernelsize", words) == "kernel_size");
  BOOST_TEST(nearest("stride", words) == "strides");
  BOOST_TEST(nearest("activation", words) == "");
  BOOST_TEST(nearest("x", words) == "");
  BOOST_TEST(nearest("", words) == "");
  BOOST_TEST(nearest("filters", {}) == "");
  BOOST_TEST(suggestion("fliters", words) == "; did you mean 'filters'?");
  BOOST_TEST(suggestion("xyzzy", {"b", "a", "c"}, 2) == "; known are a, b, ...");
  BOOST_TEST(suggestion("x", {}) == "; none are known");
}

BOOST_AUTO_TEST_CASE(splits_and_trims) {
  BOOST_TEST(split("a,,b", ',') == (std::vector<std::string>{"a", "", "b"}),
             boost::test_tools::per_element());
  BOOST_TEST(split("", ',') == (std::vector<std::string>{""}), boost::test_tools::per_element());
  BOOST_TEST(split("a,", ',').size() == 2);
  BOOST_TEST(trim(" \t a b\r\n") == "a b");
  BOOST_TEST(trim(" \n") == "");
  for (const auto& [bytes, text] :
       {std::pair(0.0, "0 B"), std::pair(999.0, "999 B"), std::pair(1000.0, "1.0 kB"),
        std::pair(34000.0, "34 kB"), std::pair(999600.0, "1.0 MB"), std::pair(1.23e9, "1.2 GB"),
        std::pair(5e18, "5000 PB")})
    BOOST_TEST(human_bytes(bytes) == text);
}

BOOST_AUTO_TEST_CASE(files_are_read_and_replaced_whole) {
  test::TemporaryDirectory dir;
  const auto file = dir / "a.txt";
  write_atomically(file, std::string_view("one"));
  write_atomically(file, std::string_view("two\0three", 9));
  BOOST_TEST(read_text(file) == std::string("two\0three", 9));
  BOOST_TEST(checksum(std::as_bytes(std::span(std::string_view("123456789")))) ==
             "crc32:cbf43926");  // the published check value
  BOOST_CHECK_THROW(write_atomically(file,
                                     [](const std::filesystem::path& t) {
                                       write_atomically(t, std::string_view("half"));
                                       throw Error("stop");
                                     }),
                    Error);
  BOOST_TEST(read_text(file).size() == 9);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
  BOOST_CHECK_EXCEPTION(read_text(dir / "none"), DataError, says("none: no such file"));
  BOOST_CHECK_EXCEPTION(read_text(dir.path()), DataError, says("is a directory"));
  BOOST_CHECK_EXCEPTION(write_atomically(dir / "no/b", std::string_view("x")), Error,
                        says("no/b: cannot be written"));
}

BOOST_AUTO_TEST_CASE(gzip_is_read_by_content) {
  test::TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i * 7919);
  const auto zip = [&](const std::string& name, const char* mode) {
    gzFile z = gzopen((dir / name).c_str(), mode);
    BOOST_REQUIRE(gzwrite(z, text.data(), static_cast<unsigned>(text.size())) ==
                  static_cast<int>(text.size()));
    gzclose(z);
  };
  const auto string_of = [](const std::vector<std::byte>& b) {
    return std::string(reinterpret_cast<const char*>(b.data()), b.size());
  };
  zip("a.bin", "wb");
  BOOST_TEST((string_of(read_maybe_gzip(dir / "a.bin")) == text));
  zip("a.bin", "ab");  // a second member behind the first
  BOOST_TEST((string_of(read_maybe_gzip(dir / "a.bin")) == text + text));
  BOOST_CHECK_EXCEPTION(read_maybe_gzip(dir / "a.bin", text.size()), DataError,
                        says("unpacks to more than"));
  zip("b.gz", "wb");
  const auto whole = read_file(dir / "b.gz");
  for (size_t length : {size_t{2}, size_t{12}, whole.size() / 2, whole.size() - 1}) {
    write_atomically(dir / "b.gz", std::span(whole).first(length));
    BOOST_CHECK_EXCEPTION(read_maybe_gzip(dir / "b.gz"), DataError,
                          says("b.gz: damaged or truncated gzip"));
  }
  write_atomically(dir / "plain", std::string_view("plain"));
  BOOST_TEST(string_of(read_maybe_gzip(dir / "plain")) == "plain");
}
