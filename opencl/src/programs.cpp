#include "programs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "device_list.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "pool.hpp"

namespace ocellus::opencl {
namespace {

// -cl-mad-enable: a * b + c may be one fused operation; the error bounds that we promise hold
// either way. -cl-denorms-are-zero: a denormal costs a CPU more than a hundred cycles, and no
// result of ours rests on one. -cl-kernel-arg-info: argument names in error messages. No
// -cl-fast-relaxed-math: it would assume that no NaN exists, and hide a diverging training.
const std::string kOptions = "-cl-mad-enable -cl-denorms-are-zero -cl-kernel-arg-info ";

/// Threads that compile side by side; each may take 100 MB.
constexpr size_t kMostThreads = 8;

std::string label(const std::string& owner, const std::string& file) { return owner + "/" + file; }

std::string line_directive(size_t line, const std::string& label) {
  return fmt::format("#line {} \"{}\"\n", line, label);
}

/// The file of that name under OCELLUS_KERNEL_PATH, if there is one.
bool read_override(const std::string& file, std::string& text) {
  const std::string directory = environment("OCELLUS_KERNEL_PATH");
  if (directory.empty()) return false;
  std::ifstream in(std::filesystem::path(directory) / file, std::ios::binary);
  if (!in) return false;
  text.assign(std::istreambuf_iterator<char>(in), {});
  return true;
}

/// `line` is `#include "ocellus/x.cl"`: gives "x.cl"; "" for any other line.
std::string included_file(const std::string& line) {
  static const std::string kStart = "#include \"ocellus/";
  if (line.compare(0, kStart.size(), kStart) != 0) return {};
  return line.substr(kStart.size(), line.find('"', kStart.size()) - kStart.size());
}

/// Appends `text`, with shared files in place of their #include lines, each file once.
void expand(const std::string& text, const std::string& here, std::set<std::string>& seen,
            std::string& out) {
  std::istringstream lines(text);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    const std::string file = included_file(line);
    if (file.empty()) {
      out += line + "\n";
      continue;
    }
    if (!seen.insert(file).second) {
      out += "\n";
      continue;
    }
    const KernelSource* shared = kernels::find(file);
    std::string shared_text = shared ? shared->text : "";
    if (!read_override("ocellus/" + file, shared_text) && !shared)
      throw DeviceError(
          fmt::format("{}:{}: there is no shared kernel \"ocellus/{}\"", here, number, file));
    const std::string shared_label = label("ocellus", "ocellus/" + file);
    out += line_directive(1, shared_label);
    expand(shared_text, shared_label, seen, out);
    out += line_directive(number + 1, here);
  }
}

/// First error of a build log as "owner/file:line: message" with the source line; "" if none names
/// a place of ours.
std::string first_error(const std::string& log, const std::string& text) {
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const size_t error = line.find("error");
    if (error == std::string::npos) continue;
    // clang's "FILE:LINE:COLUMN: error: message" and PoCL's "error: FILE:LINE:COLUMN: message".
    const size_t file_end = line.find(".cl:");
    if (file_end == std::string::npos) return line;
    const size_t file_start = line.rfind(' ', file_end) + 1;
    const std::string file = line.substr(file_start, file_end + 3 - file_start);
    const size_t number = std::strtoul(line.c_str() + file_end + 4, nullptr, 10);

    // Walk the expanded text, following its #line directives, to the line that the compiler means.
    std::istringstream source(text);
    std::string current, here;
    for (size_t at = 1; std::getline(source, current); ++at) {
      if (current.starts_with("#line ")) {
        at = std::strtoul(current.c_str() + 6, nullptr, 10) - 1;
        const size_t quote = current.find('"') + 1;
        here = current.substr(quote, current.size() - 1 - quote);
      } else if (at == number && here.ends_with(file)) {
        current.erase(0, current.find_first_not_of(' '));
        return fmt::format("{}: {}", line, current);
      }
    }
    return line;
  }
  return {};
}

std::string build_log(cl_program program, cl_device_id device) {
  size_t bytes = 0;
  if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &bytes) !=
      CL_SUCCESS)
    return {};
  std::string log(bytes, '\0');
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, bytes, log.data(), nullptr);
  while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
  return log;
}

size_t kernel_count(cl_program program) {
  size_t count = 0;
  check(clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof count, &count, nullptr),
        "clGetProgramInfo");
  return count;
}

}  // namespace

KernelSource KernelSource::with_preamble(const std::string& preamble) const {
  if (preamble.empty()) return *this;
  // resolve() finds the file's own text behind this directive.
  return {file, preamble + "\n" + line_directive(1, label(owner, file)) + text, owner};
}

std::string resolve(const KernelSource& source) {
  const std::string here = label(source.owner, source.file);
  const std::string start = line_directive(1, here);
  const size_t at = source.text.rfind(start);
  std::string preamble, body = source.text;
  if (at != std::string::npos) {
    preamble = source.text.substr(0, at);
    body = source.text.substr(at + start.size());
  }
  read_override(source.file, body);
  // Clang, which is in most drivers, warns of each vector argument that is wider than the device's
  // registers, and PoCL prints how often.
  std::string out = "#pragma clang diagnostic ignored \"-Wpsabi\"\n";
  std::set<std::string> seen;
  if (!preamble.empty()) out += line_directive(1, here + " (generated).cl");
  expand(preamble, here, seen, out);
  out += start;
  expand(body, here, seen, out);
  return out;
}

Programs::Programs(cl_context context, cl_device_id device, const DeviceInfo& info)
    : context_(context), device_(device), info_(info), cache_(context, device, info) {}

Programs::~Programs() {
  for (const auto& [key, unit] : units_)
    if (ready_to_save(*unit))
      cache_.save(unit->program.get(), unit->text, kOptions + unit->options);
}

bool Programs::ready_to_save(const ProgramUnit& unit) const {
  if (!cache_.enabled() || !unit.fresh) return false;
  if (!cache_.compiles_at_launch()) return true;
  const auto launched = std::ranges::count_if(
      unit.kernels, [](const auto& kernel) { return kernel.second->launched; });
  return static_cast<size_t>(launched) == kernel_count(unit.program.get());
}

ProgramUnit& Programs::unit(const KernelSource& source, const std::string& options) {
  std::string text = resolve(source);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<ProgramUnit>& unit = units_[options + '\0' + text];
  if (!unit) {
    unit = std::make_unique<ProgramUnit>();
    unit->owner = source.owner;
    unit->file = source.file;
    unit->text = std::move(text);
    unit->options = options;
  }
  return *unit;
}

Program Programs::build(cl_context context, const ProgramUnit& unit) const {
  const std::string options = kOptions + unit.options;
  const char* pointer = unit.text.c_str();
  cl_int status = CL_SUCCESS;
  Program program = own(clCreateProgramWithSource(context, 1, &pointer, nullptr, &status));
  check(status, "clCreateProgramWithSource");
  status = clBuildProgram(program.get(), 1, &device_, options.c_str(), nullptr, nullptr);
  if (status == CL_SUCCESS) return program;
  const std::string log = build_log(program.get(), device_);
  const std::string error = first_error(log, unit.text);
  throw DeviceError(fmt::format("{}: kernel {} does not build for '{}': {}", unit.owner, unit.file,
                                info_.name, error.empty() ? status_name(status) : error),
                    fmt::format("options: {}\n{}", options, log));
}

// PoCL compiles one thing at a time in a context: the program is compiled in one of its own, and
// comes over as a binary. That has all kernels of the text, which pays where all are wanted.
Program Programs::build_aside(ProgramUnit& unit) const {
  cl_int status = CL_SUCCESS;
  const std::shared_ptr<std::remove_pointer_t<cl_context>> aside(
      clCreateContext(nullptr, 1, &device_, nullptr, nullptr, &status), clReleaseContext);
  check(status, "clCreateContext");
  const Program program = build(aside.get(), unit);
  if (kernel_count(program.get()) != unit.kernels.size()) return nullptr;
  return cache_.adopt(program.get(), unit.text, kOptions + unit.options);
}

void Programs::complete(ProgramUnit& unit) {
  const std::lock_guard lock(unit.mutex);
  if (!unit.program) unit.program = cache_.load(unit.text, kOptions + unit.options);
  if (!unit.program) {
    unit.program = build(context_, unit);
    unit.fresh = true;
  }
  create_kernels(unit);
}

void Programs::complete(const std::vector<ProgramUnit*>& units) {
  std::vector<ProgramUnit*> missing;
  for (ProgramUnit* unit : units) {
    const std::lock_guard lock(unit->mutex);
    if (!unit->program) unit->program = cache_.load(unit->text, kOptions + unit->options);
    if (!unit->program) missing.push_back(unit);
  }
  std::vector<std::exception_ptr> errors(missing.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i; (i = next++) < missing.size();) try {
        if (cache_.binaries_hold_kernels()) {
          const std::lock_guard lock(missing[i]->mutex);
          if (!missing[i]->program) missing[i]->program = build_aside(*missing[i]);
        }
        complete(*missing[i]);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  };
  {
    std::vector<std::jthread> threads;
    const size_t cores = std::max(1u, std::thread::hardware_concurrency());
    for (size_t i = 1; i < std::min({missing.size(), cores, kMostThreads}); ++i)
      threads.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  for (ProgramUnit* unit : units) complete(*unit);
}

void Programs::create_kernels(ProgramUnit& unit) const {
  for (auto it = unit.kernels.begin(); it != unit.kernels.end(); ++it) {
    if (it->second->handle) continue;
    try {
      create(unit, *it->second);
    } catch (...) {
      unit.kernels.erase(it);  // the others are none the worse
      throw;
    }
  }
}

void Programs::create(const ProgramUnit& unit, Kernel::State& state) const {
  cl_int status = CL_SUCCESS;
  const std::shared_ptr<std::remove_pointer_t<cl_kernel>> kernel(
      clCreateKernel(unit.program.get(), state.name.c_str(), &status), [](cl_kernel k) {
        if (k) clReleaseKernel(k);
      });
  check(status, fmt::format("{}: {} has no kernel '{}'", unit.owner, unit.file, state.name));
  check(clGetKernelInfo(kernel.get(), CL_KERNEL_NUM_ARGS, sizeof state.argument_count,
                        &state.argument_count, nullptr),
        "clGetKernelInfo");
  // A kernel that was compiled for a fixed size takes that size: rusticl (Mesa 22.3) answers the
  // other question with the size of a sub-group.
  const auto ask = [&](cl_kernel_work_group_info what, auto& answer) {
    clGetKernelWorkGroupInfo(kernel.get(), device_, what, sizeof answer, &answer, nullptr);
  };
  size_t group = info_.max_work_group, fixed[3] = {0, 0, 0};
  ask(CL_KERNEL_COMPILE_WORK_GROUP_SIZE, fixed);
  if (fixed[0] == 0) ask(CL_KERNEL_WORK_GROUP_SIZE, group);
  state.max_work_group = std::min(group, info_.max_work_group);
  cl_ulong local = 0;
  ask(CL_KERNEL_LOCAL_MEM_SIZE, local);
  if (local > info_.local_memory)
    throw DeviceError(fmt::format("{}: kernel '{}' needs {} of local memory, '{}' has {}",
                                  unit.owner, state.name, readable_bytes(local), info_.name,
                                  readable_bytes(info_.local_memory)));
  clRetainKernel(kernel.get());
  state.handle = kernel.get();
}

std::shared_ptr<Kernel::State> Programs::kernel(const KernelSource& source, const std::string& name,
                                                const std::string& options) {
  ProgramUnit& wanted = unit(source, options);
  std::shared_ptr<Kernel::State> state;
  {
    const std::lock_guard lock(wanted.mutex);
    std::shared_ptr<Kernel::State>& known = wanted.kernels[name];
    if (!known) {
      known = std::make_shared<Kernel::State>();
      known->name = name;
      known->owner = source.owner;
      known->unit = &wanted;
    }
    if (known->handle) return known;
    state = known;
  }
  Compilation::State* later = current_compilation();
  if (later && &later->programs == this)
    later->units.push_back(&wanted);
  else
    complete(wanted);
  return state;
}

}  // namespace ocellus::opencl
