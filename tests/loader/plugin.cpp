// One source, built once for each way in which a plugin can be wrong. OCELLUS_TEST_FAULT says
// which; 0 is a good one.
#include "ocellus/core/plugin.hpp"

#include <cstdlib>
#include <stdexcept>

#define FAULT_NONE 0
#define FAULT_NO_DESCRIPTOR 1
#define FAULT_SIZE 2
#define FAULT_MAJOR 3
#define FAULT_MINOR 4
#define FAULT_ABI 5
#define FAULT_THROWS 6
#define FAULT_DUPLICATE_TYPE 7
#define FAULT_DUPLICATE_ID 8
#define FAULT_UNDEFINED_SYMBOL 9
#define FAULT_BAD_ID 10

namespace {

using namespace ocellus;

// The tests look whether any code of a refused file ran.
__attribute__((constructor)) void note_that_code_runs() {
  setenv("OCELLUS_TEST_RAN_" OCELLUS_TEST_ID, "1", 1);
}

[[maybe_unused]] TypeInfo type(Kind kind, const char* name) {
  TypeInfo t;
  t.kind = kind;
  t.name = name;
  t.help = "a type of the loader test";
  t.create = [](const Json&) -> std::shared_ptr<void> { return std::make_shared<int>(42); };
  return t;
}

[[maybe_unused]] void register_types(Registrar& r) {
  r.add(type(Kind::loss, OCELLUS_TEST_ID "_loss"));
#if OCELLUS_TEST_FAULT == FAULT_THROWS
  throw std::runtime_error("no licence found");
#elif OCELLUS_TEST_FAULT == FAULT_DUPLICATE_TYPE
  r.add(type(Kind::layer, "GoodLayer"));
#else
  r.add(
      type(Kind::layer, OCELLUS_TEST_FAULT == FAULT_NONE ? "GoodLayer" : OCELLUS_TEST_ID "_layer"));
#endif
}

}  // namespace

#if OCELLUS_TEST_FAULT == FAULT_UNDEFINED_SYMBOL
void defined_nowhere();
void call_it() { defined_nowhere(); }
__attribute__((visibility("default"))) void (*caller)() = call_it;
#endif

#if OCELLUS_TEST_FAULT != FAULT_NO_DESCRIPTOR
// OCELLUS_PLUGIN() spelt out, with the fault in it.
extern "C" __attribute__((visibility("default"), used)) const PluginDescriptor ocellus_plugin_v1 = {
    {'\x8f', 'O', 'c', 'e', 'l', 'l', 'u', 's', 'P', 'l', 'u', 'g', 'i', 'n', '\x1a', '\n'},
    OCELLUS_TEST_FAULT == FAULT_SIZE ? sizeof(PluginDescriptor) + 8 : sizeof(PluginDescriptor),
    OCELLUS_TEST_FAULT == FAULT_MAJOR ? plugin_api_major + 1 : plugin_api_major,
    OCELLUS_TEST_FAULT == FAULT_MINOR ? plugin_api_minor + 1 : plugin_api_minor,
#if OCELLUS_TEST_FAULT == FAULT_ABI
    "0.0.9 " OCELLUS_ABI_COMPILER,
#else
    OCELLUS_ABI_TAG,
#endif
#if OCELLUS_TEST_FAULT == FAULT_DUPLICATE_ID
    "good",
#elif OCELLUS_TEST_FAULT == FAULT_BAD_ID
    "../bad",
#else
    OCELLUS_TEST_ID,
#endif
    "A test plugin",
    "1.2",
    "MIT",
    register_types};
#endif
