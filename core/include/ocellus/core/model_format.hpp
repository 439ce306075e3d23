#pragma once

#include <filesystem>
#include <memory>

#include "ocellus/core/model_document.hpp"
#include "ocellus/core/progress.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// How the weights of a file find their layers.
struct WeightsMatching {
  bool by_name = false;        ///< by the layers' names, in any order; else by position, as Keras
  bool skip_mismatch = false;  ///< what does not fit is left out with a warning, not refused
};

/// Reads and writes model files. Chosen by content, never by extension.
class OCELLUS_API ModelFormat {
 public:
  using Interface = ModelFormat;
  static constexpr Kind kind = Kind::model_format;
  virtual ~ModelFormat();
  /// Whether the file's first bytes and structure are this format's.
  virtual bool recognizes(const std::filesystem::path& file) const = 0;
  /// Compares the file with the checksums that it holds, all of them; throws DataError. read() may
  /// leave that out. Default: there are none.
  virtual void verify(const std::filesystem::path& file) const;
  /// Throws DataError: file, object, what to do (of a file with weights only: how to name its
  /// model).
  virtual ModelDocument read(const std::filesystem::path& file, const Registry& registry) const = 0;
  /// The weights of a file, whether it holds a whole model or weights only, for the layers of
  /// `document`, whose other weights stay. Throws DataError naming the first layer that does not
  /// fit and both shapes; then `document` is as it was. Default: refuses.
  virtual void read_weights(const std::filesystem::path& file, const WeightsMatching& matching,
                            ModelDocument& document, const Registry& registry) const;
  /// Whole or not at all: written beside the target, flushed, renamed. Warnings go to `log`.
  virtual void write(const ModelDocument& document, const std::filesystem::path& file,
                     const Registry& registry, Log& log) const = 0;
  /// Stores what people say about a model and Keras has no place for, `document`'s classes,
  /// preprocessing and sample, in a copy of the file `from`, which may also be `to`. Everything
  /// else stays as it is in the file. Whole or not at all. Default: writes the whole document.
  virtual void annotate(const ModelDocument& document, const std::filesystem::path& from,
                        const std::filesystem::path& to, const Registry& registry, Log& log) const;
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
