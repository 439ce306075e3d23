#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/registry.hpp"
#include "ocellus/core/report.hpp"
#include "terminal.hpp"

namespace ocellus::tools {

/// What a program says of itself.
struct ToolInfo {
  std::string verb;     ///< "train"
  std::string usage;    ///< "MODEL DATA [flags]"
  std::string summary;  ///< what it does, in a sentence or two
};

/// What the flags of declare_model() ask of the model that is named beside them.
struct ModelFlags {
  std::string weights;  ///< a file, or "imagenet"
  WeightsMatching matching;
  std::string input_shape;  ///< "224x224x3"
  int classes = 0;          ///< 0: the architecture's own
  bool no_top = false;
};

/// A running program: its command line with the flags that all programs share, and what it opens
/// from them, each when it is first asked for. Models are opened before the device: a trial read
/// forks, and a fork must not see an open OpenCL device.
class Tool {
 public:
  Tool(ToolInfo info, std::vector<std::string> words);
  ~Tool();

  CommandLine line;
  Terminal terminal;
  bool json = false, profile = false, force = false, trust = false;
  std::string preprocess;
  Seed seed{1};

  /// Call when all own flags are declared. Does not return from --help and --version.
  void parse();

  /// Takes the first word off the line where it is no flag; empty otherwise. It names what the
  /// other flags depend on.
  std::string take_word();
  /// Reads --plugin before parse(): the plugins say which flags there are.
  void load_early();

  /// Flags that not every program has.
  void declare_output();  ///< --out, --force
  void declare_model();   ///< --trust, --preprocess, --weights and what else says which model

  /// Asks of the model what the flags of declare_model() would, which this program has not.
  void choose_model(ModelFlags flags) { model_ = std::move(flags); }

  /// The command line as typed, for reports.
  std::string command() const;
  const std::string& out() const { return out_; }
  Registry& registry();
  /// The model of an address with what declare_model()'s flags ask of it; `architecture`:
  /// parameters for a zoo name besides.
  ModelDocument open_model(const std::string& address, const Json& architecture = Json::object());
  /// A network on the device, with preprocessing decided: --preprocess, else the model's, else x /
  /// 255, and says what it assumed.
  std::unique_ptr<Network> place(const ModelDocument& document,
                                 Placement placement = Placement::apart);
  std::shared_ptr<opencl::Device> device();

  /// --out, or a new folder ocellus-NAME-MODEL-N. Throws UsageError where something is there and
  /// --force is not given.
  std::filesystem::path output_folder(const std::string& name, const std::string& model);
  /// Throws UsageError where a file that a flag names is there and --force is not given; nothing
  /// for an empty name.
  void refuse_overwriting(const std::string& file, const std::string& flag) const;
  /// Header of a report: command line, model, device, driver, version, seed, time.
  void describe(Report& report, const std::string& model);

  /// Results go to standard output, once: JSON with --json, else text.
  void print(const std::string& text) const;
  void print(const Json& value) const;
  /// The table of --profile, on standard error; nothing without it.
  void print_profile();

 private:
  ToolInfo info_;
  std::vector<std::string> words_, plugins_;
  std::string first_word_;
  std::string device_selector_, out_;
  std::filesystem::path
      made_;  ///< where this made the folder of results: gone again if it stays empty
  ModelFlags model_;
  std::unique_ptr<Registry> registry_;
  std::shared_ptr<opencl::Device> device_;
};

/// Runs a program's body; errors become one line and the exit code that they own.
int run(const ToolInfo& info, int argc, char** argv, const std::function<void(Tool&)>& body);

/// "model", "lenet5" or "typed": what a model's address is called in names of folders.
std::string short_name(const std::string& model_address);

/// Text table: columns aligned, numbers to the right.
std::string format_table(const std::vector<std::string>& columns,
                         const std::vector<std::vector<std::string>>& rows);

/// "1,234,567"
std::string thousands(int64_t n);

}  // namespace ocellus::tools
