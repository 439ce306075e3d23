#include "ocellus/core/labels.hpp"

#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {

std::vector<std::string> read_labels(const std::filesystem::path& file) {
  std::string text = read_text(file);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the mark of a Windows editor
  std::vector<std::string> names;
  for (const std::string& line : split(text, '\n'))
    if (const std::string_view name = trim(line); !name.empty()) names.emplace_back(name);
  if (names.empty()) throw DataError(fmt::format("{}: holds no class names", file.string()));
  const auto number = [](size_t i) { return fmt::format("{} ", i); };
  for (size_t i = 0; i < names.size(); ++i)
    if (!names[i].starts_with(number(i))) return names;
  for (size_t i = 0; i < names.size(); ++i)
    names[i] = trim(std::string_view(names[i]).substr(number(i).size()));
  return names;
}

}  // namespace ocellus
