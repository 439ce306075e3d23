#include "command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::tools {
namespace {

namespace po = boost::program_options;
using Type = ParameterInfo::Type;

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

bool is_switch(const ParameterInfo& p) { return p.type == Type::boolean && !p.list; }

const char* value_name(const ParameterInfo& p) {
  switch (p.type) {
    case Type::boolean:
      return "";
    case Type::integer:
    case Type::seed:
      return " N";
    case Type::number:
      return " X";
    case Type::size:
      return " HxW";
    case Type::interval:
      return " LOW..HIGH";
    case Type::layer:
      return " LAYER";
    case Type::class_name:
      return " CLASS";
    case Type::path:
      return " PATH";
    case Type::json:
      return " VALUE";
    case Type::string:
      break;
  }
  return p.list ? " A,B,..." : " NAME";
}

// A default as a person would type it; empty where saying it helps nobody.
std::string default_text(const ParameterInfo& p) {
  const Json& d = p.default_value;
  if (p.is_required) return "required";
  if (d.is_null() || (p.type == Type::boolean && !d.as_bool())) return "";
  if (d.is_string()) return d.as_string().empty() ? "" : "default " + d.as_string();
  if (d.is_object() || (d.is_list() && d.size() == 0)) return "";
  if (!d.is_list()) return "default " + d.dump();
  std::vector<std::string> items;
  for (const Json& i : d.as_list()) items.push_back(i.is_string() ? i.as_string() : i.dump());
  const char* between = p.type == Type::size && !p.list       ? "x"
                        : p.type == Type::interval && !p.list ? ".."
                                                              : ",";
  return fmt::format("default {}", fmt::join(items, between));
}

std::string explain(const ParameterInfo& p) {
  std::string text = p.help, extra = default_text(p);
  // Choices and ranges are said by the type's text; a plain "integer" adds nothing to " N".
  if (!p.choices.empty() || p.minimum || p.maximum)
    extra = p.type_text() + (extra.empty() ? "" : "; " + extra);
  return extra.empty() ? text : fmt::format("{} ({})", text, extra);
}

// Wraps at `width`; every line but the first begins with `indent` spaces.
std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::string out;
  size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    if (column > indent && column + word.size() + 1 > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

}  // namespace

CommandLine::CommandLine(std::string program, std::string usage, std::string summary)
    : program_(std::move(program)), usage_(std::move(usage)), summary_(std::move(summary)) {}

ParameterInfo& CommandLine::add(ParameterInfo info, std::function<void(const Json&)> set) {
  auto flag = std::make_unique<Flag>();
  flag->info = std::move(info);
  flag->heading = heading_;
  flag->set = std::move(set);
  return flags_.emplace_back(std::move(flag))->info;
}

void CommandLine::flags(const Schema& schema, Json& given) {
  for (const ParameterInfo& p : schema.parameters)
    add(p, [&given, name = p.name](const Json& v) { given[name] = v; });
}

void CommandLine::argument(std::string name, std::string& target, bool required) {
  arguments_.push_back(
      {std::move(name), [&target](const std::string& v) { target = v; }, required, false});
}

void CommandLine::rest(std::string name, std::vector<std::string>& target, bool required) {
  arguments_.push_back(
      {std::move(name), [&target](const std::string& v) { target.push_back(v); }, required, true});
}

CommandLine::Flag* CommandLine::find(const std::string& name) {
  const auto it = std::find_if(flags_.begin(), flags_.end(),
                               [&](const auto& f) { return dashed(f->info.name) == name; });
  return it == flags_.end() ? nullptr : it->get();
}

bool CommandLine::given(const std::string& name) const {
  return std::any_of(flags_.begin(), flags_.end(),
                     [&](const auto& f) { return f->info.name == name && f->given; });
}

// "--kernel_size=3" is "--kernel-size=3" (the value keeps its underscores), and "--fuse=false" is
// "--no-fuse".
std::string CommandLine::normal_word(const std::string& word) {
  if (!word.starts_with("--")) return word;
  const size_t end = std::min(word.find('='), word.size());
  const std::string name = dashed(word.substr(0, end));
  const Flag* flag = name.size() > 2 ? find(name.substr(2)) : nullptr;
  if (!flag || !is_switch(flag->info) || end == word.size()) return name + word.substr(end);
  const bool on = Schema().from_text(flag->info, word.substr(end + 1), name).as_bool();
  return (on ? "--" : "--no-") + name.substr(2);
}

void CommandLine::set_flag(Flag& flag, const std::vector<std::string>& values) {
  const std::string where = "--" + dashed(flag.info.name);
  const Schema checker;
  if (flag.info.list) {
    Json all = Json::list();
    for (const std::string& v : values) {
      const Json items = checker.from_text(flag.info, v, where);
      for (const Json& item : items.as_list()) all.push_back(item);
    }
    flag.set(all);
  } else {
    if (values.size() > 1) throw UsageError(where + " stands twice");
    flag.set(checker.from_text(flag.info, values.at(0), where));
  }
  flag.given = true;
}

void CommandLine::set_arguments(const std::vector<std::string>& words) {
  size_t used = 0;
  for (const Argument& a : arguments_) {
    if (used == words.size() && a.required)
      throw UsageError(fmt::format("{} is missing; usage: {} {}", a.name, program_, usage_));
    while (used < words.size()) {
      a.set(words[used++]);
      if (!a.repeated) break;
    }
  }
  if (used < words.size())
    throw UsageError(
        fmt::format("superfluous argument '{}'; usage: {} {}", words[used], program_, usage_));
}

void CommandLine::parse(const std::vector<std::string>& words) {
  po::options_description all;
  std::vector<std::string> names;
  for (const auto& f : flags_) {
    const std::string name = dashed(f->info.name);
    names.push_back(name);
    const std::string keys = name == "help"      ? "help,h"
                             : name == "verbose" ? "verbose,v"
                             : name == "quiet"   ? "quiet,q"
                                                 : name;
    if (is_switch(f->info))
      all.add_options()(keys.c_str(), po::bool_switch())(("no-" + name).c_str(), po::bool_switch());
    else
      all.add_options()(keys.c_str(), po::value<std::string>());
  }
  std::vector<std::string> normal, positional;
  for (const std::string& w : words) normal.push_back(normal_word(w));
  using Style = po::command_line_style::style_t;
  const int style = Style::unix_style & ~Style::allow_guessing & ~Style::allow_sticky;
  std::map<std::string, std::vector<std::string>> values;
  try {
    for (const po::option& o :
         po::command_line_parser(normal).options(all).style(style).run().options) {
      if (o.position_key >= 0) {
        positional.insert(positional.end(), o.value.begin(), o.value.end());
      } else if (find(o.string_key)) {
        values[o.string_key].push_back(o.value.empty() ? "true" : o.value[0]);
      } else {
        values[o.string_key.substr(3)].push_back("false");  // "no-NAME"
      }
    }
  } catch (const po::unknown_option& e) {
    const std::string name = e.get_option_name();
    const std::string near =
        nearest(name.substr(std::min(name.find_first_not_of('-'), name.size())), names);
    throw UsageError(near.empty()
                         ? fmt::format("unknown flag '{}'; {} --help lists all", name, program_)
                         : fmt::format("unknown flag '{}'; did you mean '--{}'?", name, near));
  } catch (const po::error& e) {
    throw UsageError(e.what());
  }
  for (const auto& [name, given] : values) set_flag(*find(name), given);
  // Who asks for help need not know the arguments yet.
  if (!given("help") && !given("version")) set_arguments(positional);
}

std::string CommandLine::help() const {
  std::string text =
      fmt::format("usage: {} {}\n\n{}\n", program_, usage_, wrapped(summary_, 0, 100));
  std::vector<std::string> headings;
  for (const auto& f : flags_)
    if (std::find(headings.begin(), headings.end(), f->heading) == headings.end())
      headings.push_back(f->heading);
  constexpr size_t column = 30;
  for (const std::string& heading : headings) {
    text += fmt::format("\n{}:\n", heading);
    for (const auto& f : flags_) {
      if (f->heading != heading) continue;
      const std::string left = fmt::format("  --{}{}", dashed(f->info.name), value_name(f->info));
      const std::string gap = left.size() + 2 > column ? "\n" + std::string(column, ' ')
                                                       : std::string(column - left.size(), ' ');
      text += left + gap + wrapped(explain(f->info), column, 100) + "\n";
    }
  }
  return text;
}

}  // namespace ocellus::tools
