// The door: every kind of bad plugin is refused with its own message, and the registry stays as it
// was.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/plugin.hpp"
#include "ocellus/core/registry.hpp"

using namespace ocellus;
using test::says;
namespace fs = std::filesystem;

namespace {

const fs::path directory = OCELLUS_TEST_PLUGIN_DIR;

fs::path plugin(const std::string& id) { return directory / (id + ".so"); }

std::vector<std::string> names(const Registry& r) {
  std::vector<std::string> all;
  for (Kind kind : all_kinds)
    for (const TypeInfo* t : r.all(kind))
      all.push_back(std::string(to_string(kind)) + " " + t->name);
  return all;
}

bool code_ran(const std::string& id) {
  return std::getenv(("OCELLUS_TEST_RAN_" + id).c_str()) != nullptr;
}

// Loads a bad file into a registry that holds the good one; all parts must stand in the message.
void check_refused(const fs::path& file, const std::vector<std::string>& parts) {
  BOOST_TEST_CONTEXT(file.filename().string()) {
    Registry r;
    r.load(plugin("good"));
    const auto before = names(r);
    BOOST_REQUIRE(before.size() == 2);
    std::string message;
    try {
      r.load(file);
    } catch (const PluginError& e) {
      message = e.what();
      BOOST_TEST((e.exit_code() == ExitCode::plugin));
    }
    BOOST_TEST(message.find(file.string()) != std::string::npos, "names the file: " << message);
    for (const std::string& p : parts)
      BOOST_TEST(message.find(p) != std::string::npos, "'" << p << "' in: " << message);
    BOOST_TEST(message.find('\n') == std::string::npos);
    BOOST_TEST(names(r) == before, boost::test_tools::per_element());
    BOOST_REQUIRE(r.plugins().size() == 2);
    BOOST_TEST(!r.plugins()[1].loaded);
    BOOST_TEST(r.plugins()[1].reason == message);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_plugin_loads) {
  Registry r;
  r.load(plugin("good"));
  BOOST_REQUIRE(r.plugins().size() == 1);
  const PluginRecord& p = r.plugins()[0];
  BOOST_TEST(p.loaded);
  BOOST_TEST(p.id == "good");
  BOOST_TEST(p.version == "1.2");
  BOOST_TEST(p.licence == "MIT");
  const TypeInfo& t = r.get(Kind::layer, "GoodLayer");
  BOOST_TEST(t.plugin == "good");
  BOOST_TEST(*std::static_pointer_cast<int>(t.create(Json::object())) == 42);
  r.load(plugin("good"));  // again: nothing happens
  BOOST_TEST(r.plugins().size() == 1);
  Registry second;  // another registry of the same process
  second.load(plugin("good"));
  BOOST_TEST(second.all(Kind::layer).size() == 1);
  BOOST_TEST(code_ran("good"));
}

BOOST_AUTO_TEST_CASE(what_is_no_plugin_is_refused) {
  test::TemporaryDirectory dir;
  write_atomically(dir / "text.so", std::string_view("#!/bin/sh\n"));
  check_refused(dir / "text.so", {"is not a shared library"});
  write_atomically(dir / "empty.so", std::string_view(""));
  check_refused(dir / "empty.so", {"is not a shared library"});
  check_refused(dir / "missing.so", {"no such file"});
  check_refused(plugin("no_descriptor"), {"without a plugin descriptor", "OCELLUS_PLUGIN"});
  BOOST_TEST(!code_ran("no_descriptor"));
}

BOOST_AUTO_TEST_CASE(what_was_built_for_another_host_is_refused_before_its_code_runs) {
  const std::string size = std::to_string(sizeof(PluginDescriptor)),
                    rebuild = "rebuild it against this Ocellus";
  check_refused(plugin("wrong_size"),
                {std::to_string(sizeof(PluginDescriptor) + 8), size, rebuild});
  check_refused(plugin("wrong_major"), {"plugin API 2.0", "this Ocellus has 1.0", rebuild});
  check_refused(plugin("newer_minor"),
                {"plugin API 1.1", "newer than this Ocellus with 1.0", rebuild});
  check_refused(plugin("wrong_abi"),
                {"'0.0.9 " OCELLUS_ABI_COMPILER "'", "'" OCELLUS_ABI_TAG "'", rebuild});
  check_refused(plugin("bad_id"), {"'../bad'"});
  for (const char* id : {"wrong_size", "wrong_major", "newer_minor", "wrong_abi", "bad_id"})
    BOOST_TEST(!code_ran(id), id);
}

BOOST_AUTO_TEST_CASE(what_fails_while_it_registers_leaves_nothing) {
  check_refused(plugin("throws"), {"failed while it registered its types: no licence found"});
  check_refused(
      plugin("duplicate_type"),
      {"layer 'GoodLayer' of plugin 'duplicate_type' is already registered by plugin 'good'"});
  check_refused(plugin("duplicate_id"),
                {"the id 'good' is already loaded from", plugin("good").filename().string()});
  check_refused(plugin("undefined_symbol"), {"cannot be opened", "defined_nowhere"});
  BOOST_TEST(!code_ran("duplicate_id"));
}

BOOST_AUTO_TEST_CASE(truncated_files_are_refused) {
  test::TemporaryDirectory dir;
  const auto whole = read_file(plugin("wrong_abi"));
  const std::string text(reinterpret_cast<const char*>(whole.data()), whole.size());
  const size_t magic = text.find(std::string("\x8f") + "Ocellus");
  BOOST_REQUIRE(magic != std::string::npos);
  for (size_t length :
       {magic + 8, magic + 16, magic + 18, magic + 40, magic + sizeof(PluginDescriptor) - 1}) {
    write_atomically(dir / "cut.so", std::span(whole).first(length));
    check_refused(dir / "cut.so", {});
  }
  // Text fields without an end.
  auto endless = whole;
  const size_t id = magic + offsetof(PluginDescriptor, abi);
  for (size_t i = 0; i < sizeof(PluginDescriptor::abi); ++i) endless[id + i] = std::byte{'x'};
  write_atomically(dir / "endless.so", endless);
  check_refused(dir / "endless.so", {"ABI tag", "does not end"});
}

BOOST_AUTO_TEST_CASE(directories_are_searched_and_refusals_kept) {
  Registry r;
  r.load_directory(directory);
  size_t loaded = 0;
  for (const PluginRecord& p : r.plugins()) {
    loaded += p.loaded;
    BOOST_TEST((p.loaded || !p.reason.empty()));
  }
  BOOST_TEST(r.plugins().size() == 11);
  // In order of name: duplicate_id ("good") comes before good, so that one is refused;
  // duplicate_type loads too.
  BOOST_TEST(loaded == 2);
  BOOST_CHECK_EXCEPTION(r.get(Kind::optimizer, "Adam"), PluginError,
                        says("no optimizer 'Adam'; none are known; not loaded:"));
  BOOST_CHECK_EXCEPTION(r.get(Kind::layer, "goodlayer"), UsageError,
                        says("did you mean 'GoodLayer'?"));
  r.load_directory(directory / "nowhere");
  BOOST_TEST(r.plugins().size() == 11);
}

BOOST_AUTO_TEST_CASE(default_search_reads_the_path_and_throws_for_extras_only) {
  test::TemporaryDirectory dir;
  fs::copy_file(plugin("good"), dir / "good.so");
  write_atomically(dir / "bad.so", std::string_view("bad"));
  setenv("OCELLUS_PLUGIN_PATH", (":" + (dir / "").string() + ":/nowhere").c_str(), 1);
  Registry r;
  r.load_default();
  BOOST_TEST(r.find(Kind::layer, "GoodLayer"));
  Registry strict;
  BOOST_CHECK_EXCEPTION(strict.load_default({dir / "bad.so"}), PluginError,
                        says("bad.so: is not a shared library"));
  unsetenv("OCELLUS_PLUGIN_PATH");
  BOOST_TEST(default_plugin_directory().string().ends_with("lib/ocellus/plugins"));
}
