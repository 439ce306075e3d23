#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/schema.hpp"

namespace ocellus::tools {

/// Flags and arguments of a program. A flag is a schema parameter, so programs, recipes and
/// analyzers parse, check and explain their parameters in one way. `--kernel-size` and
/// `--kernel_size` are the same flag; a list takes "a,b" and may be repeated; a boolean takes no
/// value, or `--name=false`, or is undone by `--no-name`.
class CommandLine {
 public:
  /// `usage` is what stands behind the program's name: "MODEL DATA [flags]".
  CommandLine(std::string program, std::string usage, std::string summary);

  /// Binds a flag to a variable whose present value is the default. T: any type that a schema
  /// knows.
  template <class T>
  ParameterInfo& flag(std::string name, T& target, std::string help) {
    ParameterInfo info;
    info.name = std::move(name);
    info.help = std::move(help);
    info.default_value = schema::to_json(target);
    schema::describe(info, static_cast<const T*>(nullptr));
    return add(std::move(info), [&target](const Json& v) { schema::from_json(v, target); });
  }
  /// All parameters of a schema as flags; those that are given go into the object `given`.
  void flags(const Schema& schema, Json& given);
  /// The next argument without a dash.
  void argument(std::string name, std::string& target, bool required = true);
  /// All further arguments.
  void rest(std::string name, std::vector<std::string>& target, bool required = false);
  /// Flags declared from now on stand under this heading in the help.
  void heading(std::string text) { heading_ = std::move(text); }

  /// Throws UsageError: unknown flag (with the nearest known one), bad value, missing or
  /// superfluous argument.
  void parse(const std::vector<std::string>& words);
  /// Whether the flag stood on the line.
  bool given(const std::string& name) const;
  std::string help() const;

 private:
  struct Flag {
    ParameterInfo info;
    std::string heading;
    std::function<void(const Json&)> set;
    bool given = false;
  };
  struct Argument {
    std::string name;
    std::function<void(const std::string&)> set;
    bool required = true, repeated = false;
  };
  ParameterInfo& add(ParameterInfo info, std::function<void(const Json&)> set);
  Flag* find(const std::string& name);
  std::string normal_word(const std::string& word);
  void set_flag(Flag& flag, const std::vector<std::string>& values);
  void set_arguments(const std::vector<std::string>& words);

  std::string program_, usage_, summary_, heading_ = "Flags";
  std::vector<std::unique_ptr<Flag>> flags_;
  std::vector<Argument> arguments_;
};

}  // namespace ocellus::tools
