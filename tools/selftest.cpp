// ocellus selftest: does this device compute what the definitions say?

#include "reference/selftest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "ocellus/core/error.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

void selftest(Tool& tool) {
  bool all = false;
  tool.line.flag("all", all, "every algorithm and every case, instead of a few seconds' worth");
  tool.parse();
  const auto begin = std::chrono::steady_clock::now();
  const Registry& registry = tool.registry();
  const auto checks = reference::selftest(registry, tool.device(), all, tool.terminal);
  const auto failed =
      std::count_if(checks.begin(), checks.end(), [](const auto& c) { return !c.good(); });
  Json list = Json::list();
  for (const auto& c : checks) {
    list.push_back(Json::Object{
        {"name", c.name}, {"error", c.error}, {"allowed", c.allowed}, {"good", c.good()}});
    const std::string line = fmt::format("{}  {} (error {:.2e}, allowed {:.2e})",
                                         c.good() ? "good" : "BAD ", c.name, c.error, c.allowed);
    if (!tool.json && (tool.terminal.verbose || !c.good())) tool.print(line);
  }
  const auto unchecked = reference::layers_without_reference(registry);
  for (const std::string& name : unchecked)
    tool.terminal.warning(fmt::format("{} has no reference: not checked", name));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (tool.json)
    tool.print(Json(Json::Object{{"device", tool.device()->info().name},
                                 {"checks", checks.size()},
                                 {"failed", failed},
                                 {"seconds", seconds},
                                 {"unchecked", Json::list_of(unchecked)},
                                 {"results", list}}));
  else
    tool.print(fmt::format("{} of {} checks passed in {}",
                           checks.size() - static_cast<size_t>(failed), checks.size(),
                           human_seconds(seconds)));
  if (failed)
    throw DeviceError(fmt::format("{} checks failed on {}: do not trust its numbers", failed,
                                  tool.device()->info().name));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"selftest", "[--all] [flags]",
                              "Compares primitives and layers on a device with naive double "
                              "precision on the host, forward and backward."},
                             argc, argv, ocellus::tools::selftest);
}
