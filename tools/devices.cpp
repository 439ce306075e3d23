// ocellus devices: what OpenCL offers here.

#include <fmt/format.h>

#include "doctor.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

Json to_json(const opencl::DeviceInfo& d) {
  return Json::Object{{"index", d.index},
                      {"name", d.name},
                      {"type", d.type_name()},
                      {"vendor", d.vendor},
                      {"platform", d.platform},
                      {"driver", d.driver},
                      {"version", d.version},
                      {"kernel_family", opencl::to_string(d.family)},
                      {"compute_units", d.compute_units},
                      {"global_memory", d.global_memory},
                      {"max_allocation", d.max_allocation},
                      {"local_memory", d.local_memory},
                      {"local_memory_is_global", d.local_memory_is_global},
                      {"max_work_group", d.max_work_group},
                      {"unified_memory", d.unified_memory},
                      {"fp64", d.fp64},
                      {"emulated", d.emulated}};
}

std::string to_text(const opencl::DeviceInfo& d) {
  const auto bytes = [](uint64_t n) { return human_bytes(static_cast<double>(n)); };
  return fmt::format(
      "{}  {}\n"
      "   {}, {} kernels{}\n"
      "   {}, driver {}, {}\n"
      "   {} compute units, {} memory ({} in one buffer), {} local memory{}, work-groups up to "
      "{}\n",
      d.index, d.name, d.type_name(), opencl::to_string(d.family),
      d.emulated ? ", emulated: taken only when named" : "", d.platform, d.driver, d.version,
      d.compute_units, bytes(d.global_memory), bytes(d.max_allocation), bytes(d.local_memory),
      d.local_memory_is_global ? " (plain memory)" : "", d.max_work_group);
}

void devices(Tool& tool) {
  bool doctor = false;
  tool.line.flag("doctor", doctor,
                 "look for GPUs without a driver, missing permissions and known-bad drivers");
  tool.parse();
  const auto found = opencl::list_devices();
  const std::vector<std::string> advice =
      doctor ? examine_machine(found) : std::vector<std::string>();
  if (tool.json) {
    Json list = Json::list();
    for (const auto& d : found) list.push_back(to_json(d));
    // The list alone unless the doctor was called: `--json` of a plain list stays a plain list.
    tool.print(doctor ? Json(Json::Object{{"devices", list}, {"advice", Json::list_of(advice)}})
                      : list);
  } else {
    for (const auto& d : found) tool.print(to_text(d));
    if (doctor && advice.empty()) tool.print(std::string("nothing to complain about"));
    for (const std::string& a : advice) tool.print("* " + a);
  }
  if (found.empty())
    throw DeviceError(
        "no OpenCL device here; on Debian, 'apt-get install pocl-opencl-icd' makes one of the CPU");
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"devices", "[--doctor] [flags]",
                              "Lists the OpenCL devices in the order in which they are preferred: "
                              "device 0 is the default."},
                             argc, argv, ocellus::tools::devices);
}
