// The HDF5 wrapper against files that the raw C API wrote, and against damaged ones.
#include "ocellus/core/h5.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/trial.hpp"
#include "ocellus/core/zip.hpp"
#include "temporary.hpp"

using namespace ocellus;
using test::says;

namespace {

hid_t string_type(size_t width, H5T_cset_t set, H5T_str_t padding) {
  const hid_t t = H5Tcopy(H5T_C_S1);
  H5Tset_size(t, width);
  H5Tset_cset(t, set);
  H5Tset_strpad(t, padding);
  return t;
}

void raw_attribute(hid_t object, const std::string& name, hid_t type, hid_t space,
                   const void* data) {
  const hid_t a = H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  BOOST_REQUIRE(a >= 0);
  if (data) BOOST_REQUIRE(H5Awrite(a, type, data) >= 0);
  H5Aclose(a);
}

void raw_dataset(hid_t file, const char* name, hid_t type, std::vector<hsize_t> extents,
                 hid_t memory, const void* data) {
  const hid_t space =
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t d = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  BOOST_REQUIRE(d >= 0);
  if (data) BOOST_REQUIRE(H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  H5Dclose(d);
  H5Sclose(space);
}

hid_t make_file(const std::filesystem::path& path) {
  const hid_t f = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  BOOST_REQUIRE(f >= 0);
  return f;
}

// IEEE half precision, as h5py makes it.
hid_t half_type() {
  const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(t, 15, 10, 5, 0, 10);
  H5Tset_size(t, 2);
  H5Tset_ebias(t, 15);
  return t;
}

}  // namespace

BOOST_AUTO_TEST_CASE(reads_strings_of_every_kind) {
  test::TemporaryDirectory dir;
  const auto path = dir / "strings.h5";
  const hid_t file = make_file(path);
  const hid_t scalar = H5Screate(H5S_SCALAR);
  const hsize_t one = 1, two = 2;
  const hid_t single = H5Screate_simple(1, &one, nullptr),
              pair = H5Screate_simple(1, &two, nullptr);
  std::vector<std::pair<std::string, std::string>> expected;
  std::vector<std::string> lists;
  for (const auto set : {H5T_CSET_ASCII, H5T_CSET_UTF8}) {
    const std::string text = set == H5T_CSET_UTF8 ? "gr\xc3\xbc\xc3\x9f" : "relu";
    for (const auto padding : {H5T_STR_NULLTERM, H5T_STR_NULLPAD, H5T_STR_SPACEPAD}) {
      for (const size_t spare : {0, 1, 5}) {
        if (padding == H5T_STR_NULLTERM && spare == 0) continue;  // has no room for its terminator
        const size_t width = text.size() + spare;
        const hid_t type = string_type(width, set, padding);
        std::string cell(width, padding == H5T_STR_SPACEPAD ? ' ' : '\0');
        cell.replace(0, text.size(), text);
        for (const auto& [suffix, space] :
             {std::pair("scalar", scalar), std::pair("single", single)}) {
          const std::string name = std::to_string(set) + "_" + std::to_string(padding) + "_" +
                                   std::to_string(spare) + suffix;
          raw_attribute(file, name, type, space, cell.data());
          expected.emplace_back(name, text);
        }
        const std::string name = "list" + std::to_string(set) + "_" + std::to_string(padding) +
                                 "_" + std::to_string(spare);
        raw_attribute(file, name, type, pair, (cell + cell).data());
        lists.push_back(name);
        H5Tclose(type);
      }
    }
    const hid_t variable = string_type(H5T_VARIABLE, set, H5T_STR_NULLTERM);
    const char* pointers[] = {text.c_str(), text.c_str()};
    for (const auto& [suffix, space] : {std::pair("scalar", scalar), std::pair("single", single)}) {
      const std::string name = "variable" + std::to_string(set) + suffix;
      raw_attribute(file, name, variable, space, pointers);
      expected.emplace_back(name, text);
    }
    raw_attribute(file, "list_variable" + std::to_string(set), variable, pair, pointers);
    lists.push_back("list_variable" + std::to_string(set));
    H5Tclose(variable);
  }
  const hsize_t zero = 0;
  raw_attribute(file, "empty", H5T_IEEE_F64LE, H5Screate_simple(1, &zero, nullptr), nullptr);
  H5Fclose(file);

  const H5Reader reader(path);
  for (const auto& [name, text] : expected) BOOST_TEST(reader.text("/", name) == text, name);
  for (const std::string& name : lists) {
    const auto list = reader.texts("", name);
    BOOST_REQUIRE(list.size() == 2);
    const auto unpadded =
        name.find("list0") == 0 || name == "list_variable0" ? "relu" : "gr\xc3\xbc\xc3\x9f";
    BOOST_TEST(list[0] == unpadded, name);
    BOOST_TEST(list[1] == unpadded, name);
  }
  BOOST_TEST(reader.texts("/", "empty").empty());
  BOOST_TEST(reader.text("/", "absent", "other") == "other");
  BOOST_CHECK_EXCEPTION(reader.text("/", "absent"), DataError, says("attribute 'absent'"));
  BOOST_TEST(reader.attributes("/").size() == expected.size() + lists.size() + 1);
}

BOOST_AUTO_TEST_CASE(joins_lists_that_keras_split) {
  test::TemporaryDirectory dir;
  const hid_t file = make_file(dir / "split.h5");
  const hid_t type = string_type(3, H5T_CSET_ASCII, H5T_STR_NULLPAD);
  const hsize_t two = 2, one = 1;
  raw_attribute(file, "layer_names0", type, H5Screate_simple(1, &two, nullptr), "a\0\0bcd");
  raw_attribute(file, "layer_names1", type, H5Screate_simple(1, &one, nullptr), "ef\0");
  H5Fclose(file);
  const H5Reader reader(dir / "split.h5");
  BOOST_TEST(reader.has_texts("/", "layer_names"));
  BOOST_TEST(reader.texts("/", "layer_names") == (std::vector<std::string>{"a", "bcd", "ef"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(writes_long_lists_in_parts_as_keras) {
  test::TemporaryDirectory dir;
  // 1,001 names of 129 bytes: 129,129 bytes; 3 parts of at most 64,512 hold 334, 334, 333.
  std::vector<std::string> names;
  for (int i = 0; i < 1001; ++i) names.push_back(std::string(125, 'n') + std::to_string(1000 + i));
  H5Writer::write(dir / "long.h5", [&](H5Writer& w) { w.attribute("/", "weight_names", names); });
  const H5Reader reader(dir / "long.h5");
  BOOST_TEST(!reader.has_attribute("/", "weight_names"));
  BOOST_TEST(reader.texts("/", "weight_names0").size() == 334);
  BOOST_TEST(reader.texts("/", "weight_names2").size() == 333);
  BOOST_TEST(!reader.has_attribute("/", "weight_names3"));
  BOOST_TEST(reader.texts("/", "weight_names") == names, boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(
      H5Writer::write(dir / "long.h5",
                      [](H5Writer& w) {
                        w.attribute("/", "x", std::vector<std::string>{std::string(64513, 'x')});
                      }),
      Error, says("64513"));
  BOOST_TEST(H5Reader(dir / "long.h5").texts("/", "weight_names").size() ==
             1001);  // the old file is whole
}

BOOST_AUTO_TEST_CASE(reads_numbers_of_every_type) {
  test::TemporaryDirectory dir;
  const hid_t file = make_file(dir / "numbers.h5");
  const double values[] = {0, 1, -2.5, 1.0 / 3, 65504, -1e-3};
  const hid_t half = half_type();
  raw_dataset(file, "f16", half, {2, 3}, H5T_NATIVE_DOUBLE, values);
  raw_dataset(file, "f32", H5T_IEEE_F32LE, {2, 3}, H5T_NATIVE_DOUBLE, values);
  raw_dataset(file, "f64", H5T_IEEE_F64BE, {2, 3}, H5T_NATIVE_DOUBLE, values);
  const int64_t ints[] = {-7, 0, 100};
  raw_dataset(file, "i8", H5T_STD_I8LE, {3}, H5T_NATIVE_INT64, ints);
  raw_dataset(file, "i32", H5T_STD_I32BE, {3}, H5T_NATIVE_INT64, ints);
  raw_dataset(file, "i64", H5T_STD_I64LE, {3}, H5T_NATIVE_INT64, ints);
  const uint64_t wide[] = {4000000000};
  raw_dataset(file, "u32", H5T_STD_U32LE, {}, H5T_NATIVE_UINT64, wide);
  const uint8_t bytes[] = {0, 128, 255};
  raw_dataset(file, "u8", H5T_STD_U8LE, {3, 1}, H5T_NATIVE_UINT8, bytes);
  const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);
  int8_t v = 0;
  H5Tenum_insert(boolean, "FALSE", &v);
  v = 1;
  H5Tenum_insert(boolean, "TRUE", &v);
  const int8_t truths[] = {1, 0, 1};
  raw_dataset(file, "bool", boolean, {3}, boolean, truths);
  raw_dataset(file, "rank6", H5T_STD_U8LE, {1, 1, 1, 1, 1, 1}, H5T_NATIVE_UINT8, bytes);
  const hid_t scalar = H5Screate(H5S_SCALAR);
  const int answer = 42;
  raw_attribute(file, "answer", H5T_NATIVE_INT, scalar, &answer);
  H5Fclose(file);

  const H5Reader reader(dir / "numbers.h5");
  for (const char* name : {"f16", "f32", "f64"}) {
    const Array a = reader.read(name);
    BOOST_TEST((a.shape() == Shape({2, 3})));
    const double precision = name == std::string("f16") ? 1.0 / 2048 : 1.0 / (1 << 24);
    for (int i = 0; i < 6; ++i)
      BOOST_TEST(std::abs(a.f32()[i] - values[i]) <= precision * std::abs(values[i]));
  }
  for (const char* name : {"i8", "i32"})
    BOOST_TEST(reader.read(name).i32() == (std::vector<int32_t>{-7, 0, 100}),
               boost::test_tools::per_element());
  BOOST_TEST(reader.read("/i64").i64()[2] == 100);
  BOOST_TEST(reader.read("u32").i64()[0] == 4000000000);
  BOOST_TEST((reader.read("u32").shape() == Shape()));
  BOOST_TEST(reader.read("u8").u8()[1] == 128);
  BOOST_TEST(reader.read("bool").u8() == (std::vector<uint8_t>{1, 0, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(reader.read_rows("f32", 1, 1).f32()[0] == values[3],
             boost::test_tools::tolerance(1e-6));
  BOOST_CHECK_EXCEPTION(reader.read_rows("f32", 1, 2), DataError, says("no rows 1 to 3"));
  BOOST_CHECK_EXCEPTION(reader.read("rank6"), DataError, says("/rank6"));
  BOOST_TEST(reader.number("/", "answer") == 42);
  BOOST_TEST(reader.members("/").size() == 10);
}

BOOST_AUTO_TEST_CASE(large_floats_are_read_when_needed) {
  test::TemporaryDirectory dir;
  const hsize_t extents[] = {601, 700};
  std::vector<float> values(601 * 700);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.5f - 1000;
  for (const hsize_t user_block : {0, 512}) {
    const auto path = dir / fmt::format("large{}.h5", user_block);
    const hid_t made = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(made, user_block);
    const hid_t f = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, made, H5P_DEFAULT);
    BOOST_REQUIRE(f >= 0);
    for (const bool chunked : {false, true}) {
      const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
      const hsize_t chunk[] = {100, 700};
      if (chunked) H5Pset_chunk(layout, 2, chunk);
      const hid_t space = H5Screate_simple(2, extents, nullptr);
      const hid_t d = H5Dcreate2(f, chunked ? "chunked" : "plain", H5T_IEEE_F32LE, space,
                                 H5P_DEFAULT, layout, H5P_DEFAULT);
      BOOST_REQUIRE(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >=
                    0);
      H5Dclose(d);
      H5Sclose(space);
      H5Pclose(layout);
    }
    raw_dataset(f, "wide", H5T_IEEE_F64LE, {601, 700}, H5T_NATIVE_FLOAT, values.data());
    raw_dataset(f, "big_endian", H5T_IEEE_F32BE, {601, 700}, H5T_NATIVE_FLOAT, values.data());
    H5Fclose(f);
    H5Pclose(made);
    const auto open = [&] { return H5Reader(path); };
    // As the entry of an archive it is no different.
    ZipWriter::write(dir / "a.zip", [&](ZipWriter& zip) {
      const auto bytes = read_file(path);
      zip.add("x", std::string("something before it"));
      zip.add("h5", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    });
    for (const char* name : {"plain", "chunked", "wide", "big_endian"}) {
      const Array packed = H5Reader(ZipReader(dir / "a.zip").source("h5")).read(name);
      BOOST_TEST(packed.is_lazy() == (std::string(name) == "plain" && user_block == 0));
      BOOST_TEST(
          std::equal(values.begin(), values.end(), packed.f32().begin(), packed.f32().end()));
      const Array a = open().read(name);  // outlives its reader
      BOOST_TEST(a.is_lazy() == (std::string(name) == "plain" && user_block == 0));
      BOOST_TEST((a.shape() == Shape{601, 700}));
      BOOST_TEST(std::equal(values.begin(), values.end(), a.f32().begin(), a.f32().end()));
    }
  }
  const auto path = dir / "large0.h5";
  const Array gone = H5Reader(path).read("plain");
  std::filesystem::resize_file(path, 4096);
  BOOST_CHECK_EXCEPTION(gone.f32(), DataError, says("cannot be read any more"));
}

BOOST_AUTO_TEST_CASE(round_trip_gives_the_same_bytes) {
  test::TemporaryDirectory dir;
  Array f(Shape({3, 1, 2, 5}), DType::f32);
  for (size_t i = 0; i < f.f32().size(); ++i) f.f32()[i] = std::sqrt(static_cast<float>(i)) - 2;
  const std::string config(200000, 'j');  // over the 64 KiB of an object header
  const auto fill = [&](H5Writer& w) {
    w.dataset("/model_weights/conv/kernel:0", f);
    w.dataset("labels", Array::of_ints(Shape({3}), std::vector<int32_t>{1, -2, 3}));
    w.dataset("none", Array(Shape({0, 4}), DType::f32));
    w.dataset("paths", std::vector<std::string>{"a/\xc3\xbc.png", ""});
    w.group("/optimizer_weights");
    w.create("big", Shape({5, 2}), DType::f32);
    w.write_rows("big", 1, Array(Shape({2, 2}), std::vector<float>{1, 2, 3, 4}));
    w.attribute("/", "model_config", config);
    w.attribute("/model_weights", "backend", "tensorflow");
    w.attribute("/model_weights/conv", "weight_names", std::vector<std::string>{"conv/kernel:0"});
    w.attribute("/model_weights", "empty", std::vector<std::string>{});
    w.attribute("/", "rate", 0.1);
    w.attribute("/", "rate", 0.25);
    w.attribute("/", "epoch", 7);
  };
  H5Writer::write(dir / "a.h5", fill);
  H5Writer::write(dir / "b.h5", fill);
  BOOST_TEST((read_file(dir / "a.h5") == read_file(dir / "b.h5")));
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(dir.path()), {}) ==
             2);  // no temporary is left

  for (const bool memory : {false, true}) {
    const H5Reader r =
        memory ? H5Reader(ByteSource::of_memory(read_file(dir / "a.h5"), "a.h5 in memory"))
               : H5Reader(dir / "a.h5");
    const Array back = r.read("model_weights/conv/kernel:0");
    BOOST_TEST((back.shape() == f.shape()));
    BOOST_TEST(std::equal(back.bytes().begin(), back.bytes().end(), f.bytes().begin()));
    BOOST_TEST(r.read("labels").i32()[1] == -2);
    BOOST_TEST((r.read("none").shape() == Shape({0, 4})));
    BOOST_TEST(r.read_texts("paths")[0] == "a/\xc3\xbc.png");
    BOOST_TEST(r.read_rows("big", 2, 1).f32()[1] == 4);
    BOOST_TEST(r.text("/", "model_config") == config);
    BOOST_TEST(r.number("/", "rate") == 0.25);
    BOOST_TEST(r.number("/", "epoch") == 7);
    BOOST_TEST(r.texts("/model_weights", "empty").empty());
    BOOST_TEST(r.has_group("/optimizer_weights"));
    BOOST_TEST(!r.has_group("/model_weights/conv/kernel:0"));
    BOOST_TEST(r.has_dataset("/model_weights/conv/kernel:0"));
    BOOST_TEST(!r.has_dataset("/model_weights/nothing/kernel:0"));
    BOOST_CHECK_EXCEPTION(r.read("/model_weights/dense"), DataError,
                          says("'/model_weights/dense': is missing"));
    BOOST_CHECK_EXCEPTION(r.read("/model_weights"), DataError, says("no dataset"));
  }
}

BOOST_AUTO_TEST_CASE(refuses_what_leads_out_of_the_file) {
  test::TemporaryDirectory dir;
  const float x = 1;
  hid_t file = make_file(dir / "other.h5");
  raw_dataset(file, "x", H5T_IEEE_F32LE, {1}, H5T_NATIVE_FLOAT, &x);
  H5Fclose(file);
  file = make_file(dir / "links.h5");
  raw_dataset(file, "x", H5T_IEEE_F32LE, {1}, H5T_NATIVE_FLOAT, &x);
  H5Lcreate_soft("/x", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external((dir / "other.h5").c_str(), "/x", file, "external", H5P_DEFAULT, H5P_DEFAULT);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, (dir / "other.h5").c_str(), 0, 400);
  const hsize_t hundred = 100;
  const hid_t space = H5Screate_simple(1, &hundred, nullptr);
  H5Dclose(
      H5Dcreate2(file, "outside", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  const hid_t virtual_layout = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t one = 1;
  const hid_t single = H5Screate_simple(1, &one, nullptr);
  H5Pset_virtual(virtual_layout, single, (dir / "other.h5").c_str(), "/x", single);
  H5Dclose(H5Dcreate2(file, "virtual", H5T_IEEE_F32LE, single, H5P_DEFAULT, virtual_layout,
                      H5P_DEFAULT));
  // No storage, 4 GB of claim.
  const hid_t bomb = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_alloc_time(bomb, H5D_ALLOC_TIME_LATE);
  const hsize_t huge[] = {1 << 15, 1 << 15};
  H5Dclose(H5Dcreate2(file, "bomb", H5T_IEEE_F32LE, H5Screate_simple(2, huge, nullptr), H5P_DEFAULT,
                      bomb, H5P_DEFAULT));
  // Compressed zeros may be larger than the file.
  const hid_t zip = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t extent = 100000, chunk = 100000;
  H5Pset_chunk(zip, 1, &chunk);
  H5Pset_deflate(zip, 9);
  const std::vector<float> zeros(extent, 0.0f);
  const hid_t d = H5Dcreate2(file, "zip", H5T_IEEE_F32LE, H5Screate_simple(1, &extent, nullptr),
                             H5P_DEFAULT, zip, H5P_DEFAULT);
  H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
  H5Dclose(d);
  H5Fclose(file);

  const H5Reader reader(dir / "links.h5");
  for (const char* name : {"soft", "external"})
    BOOST_CHECK_EXCEPTION(reader.read(name), DataError, says("link, which is refused"));
  for (const char* name : {"outside", "virtual"})
    BOOST_CHECK_EXCEPTION(reader.read(name), DataError, says("other files, which is refused"));
  BOOST_CHECK_EXCEPTION(reader.read("bomb"), DataError,
                        says("claims 1073741824 elements of 4 bytes"));
  BOOST_TEST(reader.read("zip").elements() == 100000);
  BOOST_TEST(reader.read("x").f32()[0] == 1);
}

BOOST_AUTO_TEST_CASE(names_what_is_no_hdf5) {
  test::TemporaryDirectory dir;
  write_atomically(dir / "text.h5", std::string_view("not HDF5 at all"));
  BOOST_CHECK_EXCEPTION(H5Reader(dir / "text.h5"), DataError, says("text.h5: is no HDF5 file"));
  BOOST_CHECK_EXCEPTION(H5Reader(dir / "missing.h5"), DataError, says("missing.h5"));
  BOOST_CHECK_EXCEPTION(H5Writer::write(dir / "no/such/dir.h5", [](H5Writer&) {}), Error,
                        says("dir.h5"));
}

namespace {

// All that a file holds, as a model reader would walk it.
void read_everything(const H5Reader& r, const std::string& path = "") {
  for (const std::string& a : r.attributes(path)) {
    try {
      r.texts(path, a);
    } catch (const DataError&) {
      r.numbers(path, a);
    }
  }
  if (r.has_dataset(path)) {
    r.read(path);
  } else {
    for (const std::string& m : r.members(path)) read_everything(r, path + "/" + m);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(survives_damage_in_a_trial) {
  test::TemporaryDirectory dir;
  H5Writer::write(dir / "whole.h5", [](H5Writer& w) {
    w.dataset("/model_weights/conv/kernel:0", Array(Shape({3, 3, 2, 4}), DType::f32));
    w.attribute("/model_weights", "layer_names", std::vector<std::string>{"conv", "dense"});
    w.attribute("/", "model_config", std::string(3000, 'x'));
  });
  const auto whole = read_file(dir / "whole.h5");
  const auto damaged = dir / "damaged.h5";
  const auto read = [&] { read_everything(H5Reader(damaged)); };
  trial_read(dir / "whole.h5", [&] { read_everything(H5Reader(dir / "whole.h5")); });
  int refused = 0;
  for (size_t length = 0; length < whole.size(); length += whole.size() / 40) {
    write_atomically(damaged, std::span(whole).first(length));
    BOOST_CHECK_EXCEPTION(trial_read(damaged, read), DataError, says("damaged.h5"));
  }
  uint32_t state = 1;
  for (int round = 0; round < 150; ++round) {
    auto bytes = whole;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525 + 1013904223;
      bytes[(state >> 8) % bytes.size()] ^= static_cast<std::byte>(1 + (state >> 3) % 255);
    }
    write_atomically(damaged, bytes);
    // Anything but a DataError (a crash of this process above all) fails the test.
    try {
      trial_read(damaged, read);
    } catch (const DataError&) {
      ++refused;
    }
  }
  BOOST_TEST(refused > 0);
  BOOST_TEST_MESSAGE(refused << " of 150 byte-flipped files refused");
}

BOOST_AUTO_TEST_CASE(a_trial_survives_anything) {
  test::TemporaryDirectory dir;
  const auto file = dir / "x.h5";
  write_atomically(file, std::string_view("x"));
  int calls = 0;
  trial_read(file, [&] { ++calls; });
  BOOST_TEST(calls == 0);  // it ran elsewhere
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { ::raise(SIGSEGV); }), DataError,
                        says("x.h5: damaged: reading it crashes (signal 11)"));
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { std::abort(); }), DataError, says("signal 6"));
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { throw DataError("layer 3 is odd"); }), DataError,
                        says("layer 3 is odd"));
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { throw UsageError("wrong"); }), UsageError,
                        says("wrong"));
  for (const int code : {0, 1, 5})
    BOOST_CHECK_EXCEPTION(trial_read(file, [=] { ::_exit(code); }), DataError,
                          says("ends the process (exit code " + std::to_string(code)));
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { throw 3; }), DataError, says("x.h5: cannot be read"));
#if !defined(__SANITIZE_ADDRESS__)
  BOOST_CHECK_EXCEPTION(trial_read(file, [] { std::vector<char> bomb(size_t{8} << 30, 'x'); }),
                        DataError, says("more memory"));
#endif
}
