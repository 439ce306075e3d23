#pragma once

#include <filesystem>
#include <memory>

#include "ocellus/core/model_document.hpp"
#include "ocellus/core/progress.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// Reads and writes model files. Chosen by content, never by extension.
class OCELLUS_API ModelFormat {
 public:
  using Interface = ModelFormat;
  static constexpr Kind kind = Kind::model_format;
  virtual ~ModelFormat();
  /// Whether the file's first bytes and structure are this format's.
  virtual bool recognizes(const std::filesystem::path& file) const = 0;
  /// Throws DataError: file, object, what to do.
  virtual ModelDocument read(const std::filesystem::path& file, const Registry& registry) const = 0;
  /// Whole or not at all: written beside the target, flushed, renamed. Warnings go to `log`.
  virtual void write(const ModelDocument& document, const std::filesystem::path& file,
                     const Registry& registry, Log& log) const = 0;
};

/// A zoo family: makes the graph of a model from its parameters (`classes`, `input_shape`, ...).
class OCELLUS_API Architecture {
 public:
  using Interface = Architecture;
  static constexpr Kind kind = Kind::architecture;
  virtual ~Architecture();
  virtual GraphRecord build() const = 0;
};

}  // namespace ocellus
