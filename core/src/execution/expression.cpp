#include "execution/expression.hpp"

#include <cctype>

namespace ocellus::execution {
namespace {

bool starts_identifier(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool continues_identifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// Calls word(begin, end) for each identifier and other(begin, end) for what stands between. A
/// number ("1.0e5f") is no word.
template <class Word, class Other>
void scan(const std::string& text, Word word, Other other) {
  size_t i = 0;
  while (i < text.size()) {
    const size_t begin = i;
    if (starts_identifier(text[i])) {
      while (i < text.size() && continues_identifier(text[i])) ++i;
      word(begin, i);
    } else if (std::isdigit(static_cast<unsigned char>(text[i]))) {
      while (i < text.size() && (continues_identifier(text[i]) || text[i] == '.')) ++i;
      other(begin, i);
    } else {
      ++i;
      other(begin, i);
    }
  }
}

}  // namespace

std::string substitute(const std::string& expression,
                       const std::map<std::string, std::string>& names) {
  std::string out;
  scan(
      expression,
      [&](size_t b, size_t e) {
        const std::string word = expression.substr(b, e - b);
        const auto it = names.find(word);
        out += it == names.end() ? word : it->second;
      },
      [&](size_t b, size_t e) { out.append(expression, b, e - b); });
  return out;
}

bool mentions(const std::string& expression, const std::string& name) {
  bool found = false;
  scan(
      expression, [&](size_t b, size_t e) { found |= expression.compare(b, e - b, name) == 0; },
      [](size_t, size_t) {});
  return found;
}

}  // namespace ocellus::execution
