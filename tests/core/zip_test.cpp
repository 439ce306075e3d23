// Zip archives: what we write, and what strangers may.
#include "ocellus/core/zip.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>
#include <optional>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

// Places in the headers of the zip format (APPNOTE 4.3.7, 4.3.12), from their signatures.
constexpr size_t local_flags = 6, local_method = 8, central_flags = 8, central_method = 10,
                 central_checksum = 16, central_packed = 20, central_size = 24;

struct Archive {
  TemporaryDirectory dir;
  fs::path file = dir / "a.zip";
  std::string bytes;

  Archive() {
    ZipWriter::write(file, [](ZipWriter& zip) {
      zip.add("first.json", std::string("{\"a\": 1}"));
      zip.add("other.json", [](const fs::path& temporary) {
        write_atomically(temporary, std::string_view("the contents of a file"));
      });
    });
    bytes = read_text(file);
  }

  size_t find(const char* what, size_t from = 0) const {
    const size_t at = bytes.find(what, from);
    BOOST_REQUIRE(at != std::string::npos);
    return at;
  }
  size_t local() const { return find("PK\x03\x04"); }
  size_t central() const { return find("PK\x01\x02"); }

  template <class T>
  void put(size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  void replace(const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size())
      bytes.replace(at, from.size(), to);
  }
  ZipReader open() const {
    write_atomically(file, bytes);
    return ZipReader(file);
  }
};

bool says(const DataError& e, const char* what) {
  BOOST_TEST_MESSAGE(e.what());
  return std::string(e.what()).find(what) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(written_and_read) {
  Archive a;
  const ZipReader zip(a.file);
  BOOST_TEST(zip.entries() == (std::vector<std::string>{"first.json", "other.json"}),
             boost::test_tools::per_element());
  BOOST_TEST(zip.has("other.json"));
  BOOST_TEST(!zip.has("third.json"));
  BOOST_TEST(zip.read_text("first.json") == "{\"a\": 1}");
  BOOST_TEST(zip.read_text("other.json") == "the contents of a file");
  BOOST_CHECK_THROW(zip.read("third.json"), DataError);
  // The same content, the same bytes; no temporary file stays.
  BOOST_TEST((Archive().bytes == a.bytes));
  BOOST_TEST(std::distance(fs::directory_iterator(a.file.parent_path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(entries_read_at_any_place) {
  Archive a;
  // A deflate stream of one stored block (RFC 1951, 3.2.4) that holds "hello".
  ZipWriter::write(a.file, [](ZipWriter& zip) {
    zip.add("packed", std::string("\x01\x05\x00\xfa\xffhello", 10));
    zip.add("stored", std::string("the contents"));
  });
  a.bytes = read_text(a.file);
  a.put<uint16_t>(a.local() + local_method, 8);
  a.put<uint16_t>(a.central() + central_method, 8);
  a.put<uint32_t>(a.central() + central_checksum, 0x3610a686);  // CRC-32 of "hello"
  a.put<uint32_t>(a.central() + central_size, 5);
  std::optional<ZipReader> zip(a.open());
  zip->verify();
  const ByteSource packed = zip->source("packed"), stored = zip->source("stored");
  BOOST_CHECK_THROW(zip->source("third"), DataError);
  zip.reset();
  const auto text = [](const ByteSource& s, uint64_t first, size_t count) {
    std::string to(count, '\0');
    s.read(first, std::as_writable_bytes(std::span(to)));
    return to;
  };
  BOOST_TEST(packed.size == 5u);
  BOOST_TEST(stored.size == 12u);
  BOOST_TEST(text(stored, 4, 8) == "contents");
  BOOST_TEST(text(stored, 0, 3) == "the");
  BOOST_TEST(text(packed, 2, 3) == "llo");
  BOOST_TEST(text(packed, 0, 5) == "hello");
}

BOOST_AUTO_TEST_CASE(nothing_stays_of_a_failure) {
  Archive a;
  const auto fail = [](ZipWriter& zip) {
    zip.add("x", [](const fs::path& temporary) {
      write_atomically(temporary, std::string_view("half"));
    });
    throw Error("stop");
  };
  BOOST_CHECK_THROW(ZipWriter::write(a.file, fail), Error);
  BOOST_TEST((read_text(a.file) == a.bytes));
  BOOST_TEST(std::distance(fs::directory_iterator(a.file.parent_path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(names_that_lead_out) {
  for (const char* name :
       {"../st.json", "/irst.json", "a/../b.jso", "C:rst.json", "a\\..\\.json"}) {
    Archive a;
    a.replace("first.json", name);
    BOOST_CHECK_EXCEPTION(a.open(), DataError,
                          [](const DataError& e) { return says(e, "leads out"); });
  }
}

BOOST_AUTO_TEST_CASE(two_entries_of_one_name) {
  Archive a;
  a.replace("other.json", "first.json");
  BOOST_CHECK_EXCEPTION(a.open(), DataError, [](const DataError& e) { return says(e, "twice"); });
}

BOOST_AUTO_TEST_CASE(encrypted_entries) {
  Archive a;
  a.put<uint16_t>(a.local() + local_flags, 1);
  a.put<uint16_t>(a.central() + central_flags, 1);
  BOOST_CHECK_EXCEPTION(a.open(), DataError,
                        [](const DataError& e) { return says(e, "encrypted"); });
}

BOOST_AUTO_TEST_CASE(bombs) {
  Archive a;
  a.put<uint16_t>(a.central() + central_method, 8);  // deflated
  a.put<uint32_t>(a.central() + central_size, 0xf0000000u);
  BOOST_CHECK_EXCEPTION(a.open(), DataError,
                        [](const DataError& e) { return says(e, "thousand times"); });
}

BOOST_AUTO_TEST_CASE(sizes_that_lie) {
  for (const uint32_t size : {3u, 100u}) {
    Archive a;
    a.put<uint32_t>(a.central() + central_size, size);
    a.put<uint32_t>(a.central() + central_packed, size);
    BOOST_CHECK_THROW(a.open().read("first.json"), DataError);
    BOOST_CHECK_THROW(a.open().verify(), DataError);
  }
  // Of a stored entry both sizes are one, and none is larger than the archive.
  for (const size_t place : {central_size, central_packed}) {
    Archive a;
    a.put<uint32_t>(a.central() + place, 9);
    BOOST_CHECK_THROW(a.open(), DataError);
  }
  Archive a;
  a.put<uint32_t>(a.central() + central_size, 10000);
  a.put<uint32_t>(a.central() + central_packed, 10000);
  BOOST_CHECK_EXCEPTION(a.open(), DataError,
                        [](const DataError& e) { return says(e, "cannot have"); });
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_fails_the_checksum) {
  Archive a;
  a.bytes[a.find("contents")] ^= 1;
  const ZipReader zip = a.open();
  BOOST_TEST(zip.read_text("first.json") == "{\"a\": 1}");
  BOOST_CHECK_THROW(zip.read("other.json"), DataError);
  BOOST_CHECK_THROW(zip.verify(), DataError);
}

BOOST_AUTO_TEST_CASE(truncated_at_every_byte) {
  Archive a;
  const std::string whole = a.bytes;
  for (size_t n = 0; n < whole.size(); ++n) {
    a.bytes = whole.substr(0, n);
    BOOST_CHECK_THROW(a.open(), DataError);
  }
}
