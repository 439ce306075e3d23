#include "programs.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

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
  std::string out;
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
  for (const Fresh& f : fresh_)
    if (ready_to_save(f.program)) cache_.save(f.program.get(), f.text, kOptions + f.options);
}

bool Programs::ready_to_save(const Program& program) const {
  if (!cache_.enabled()) return false;
  if (!cache_.compiles_at_launch()) return true;
  size_t count = 0, launched = 0;
  if (clGetProgramInfo(program.get(), CL_PROGRAM_NUM_KERNELS, sizeof count, &count, nullptr) !=
      CL_SUCCESS)
    return false;
  for (const auto& [key, state] : kernels_)
    launched += key.first == program.get() && state->launched;
  return launched == count;
}

Program Programs::build(const KernelSource& source, const std::string& text,
                        const std::string& options) {
  if (const Program cached = cache_.load(text, kOptions + options)) return cached;
  const char* pointer = text.c_str();
  cl_int status = CL_SUCCESS;
  const Program program = own(clCreateProgramWithSource(context_, 1, &pointer, nullptr, &status));
  check(status, "clCreateProgramWithSource");
  status =
      clBuildProgram(program.get(), 1, &device_, (kOptions + options).c_str(), nullptr, nullptr);
  if (status == CL_SUCCESS) {
    const std::lock_guard lock(mutex_);
    fresh_.push_back({program, text, options});
    return program;
  }
  const std::string log = build_log(program.get(), device_);
  const std::string error = first_error(log, text);
  throw DeviceError(
      fmt::format("{}: kernel {} does not build for '{}': {}", source.owner, source.file,
                  info_.name, error.empty() ? status_name(status) : error),
      fmt::format("options: {}{}\n{}", kOptions, options, log));
}

Program Programs::program(const KernelSource& source, const std::string& text,
                          const std::string& options) {
  const std::string key = options + '\0' + text;
  std::promise<Program> promise;
  std::shared_future<Program> future;
  bool mine = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [it, inserted] = programs_.try_emplace(key);
    if (inserted) it->second = promise.get_future().share();
    mine = inserted;
    future = it->second;
  }
  // Other programs compile meanwhile in other threads; whoever wants this one waits for it.
  if (mine) {
    try {
      promise.set_value(build(source, text, options));
    } catch (...) {
      promise.set_exception(std::current_exception());
      const std::lock_guard lock(mutex_);
      programs_.erase(key);
    }
  }
  return future.get();
}

std::shared_ptr<Kernel::State> Programs::create(const Program& program, const KernelSource& source,
                                                const std::string& name) {
  cl_int status = CL_SUCCESS;
  const cl_kernel handle = clCreateKernel(program.get(), name.c_str(), &status);
  check(status, fmt::format("{}: {} has no kernel '{}'", source.owner, source.file, name));
  const auto state = std::make_shared<Kernel::State>();
  state->handle = handle;
  state->name = name;
  state->owner = source.owner;
  check(clGetKernelInfo(handle, CL_KERNEL_NUM_ARGS, sizeof state->argument_count,
                        &state->argument_count, nullptr),
        "clGetKernelInfo");
  // A kernel that was compiled for a fixed size takes that size: rusticl (Mesa 22.3) answers the
  // other question with the size of a sub-group.
  size_t group = info_.max_work_group, fixed[3] = {0, 0, 0};
  clGetKernelWorkGroupInfo(handle, device_, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof fixed, fixed,
                           nullptr);
  if (fixed[0] == 0)
    clGetKernelWorkGroupInfo(handle, device_, CL_KERNEL_WORK_GROUP_SIZE, sizeof group, &group,
                             nullptr);
  state->max_work_group = std::min(group, info_.max_work_group);
  cl_ulong local = 0;
  clGetKernelWorkGroupInfo(handle, device_, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local,
                           nullptr);
  if (local > info_.local_memory)
    throw DeviceError(fmt::format("{}: kernel '{}' needs {} of local memory, '{}' has {}",
                                  source.owner, name, readable_bytes(local), info_.name,
                                  readable_bytes(info_.local_memory)));
  return state;
}

std::shared_ptr<Kernel::State> Programs::kernel(const KernelSource& source, const std::string& name,
                                                const std::string& options) {
  const Program compiled = program(source, resolve(source), options);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Kernel::State>& state = kernels_[{compiled.get(), name}];
  if (!state) state = create(compiled, source, name);
  return state;
}

}  // namespace ocellus::opencl
