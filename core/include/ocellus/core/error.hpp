#pragma once

#include "ocellus/opencl/error.hpp"

namespace ocellus {

/// A person wrote something wrong: a flag, a recipe, a parameter, a typed model. Exit code 2.
class OCELLUS_API UsageError : public Error {
 public:
  explicit UsageError(const std::string& message, std::string detail = {});
  ~UsageError() override;
};

/// Shapes that do not fit each other. Exit code 2. Layers throw it from plan(); core puts the
/// layer's name in front.
class OCELLUS_API ShapeError : public UsageError {
 public:
  explicit ShapeError(const std::string& message);
  ~ShapeError() override;
};

/// A plugin that cannot be loaded, or a type that no loaded plugin supplies. Exit code 3.
class OCELLUS_API PluginError : public Error {
 public:
  explicit PluginError(const std::string& message, std::string detail = {});
  ~PluginError() override;
};

/// A file, a data set or a value in it is damaged, missing, or not what it should be. Exit code 5.
class OCELLUS_API DataError : public Error {
 public:
  explicit DataError(const std::string& message, std::string detail = {});
  ~DataError() override;
};

/// The user asked to stop (Ctrl-C, time budget); what is valid so far has been saved. Exit code
/// 130.
class OCELLUS_API Interrupted : public Error {
 public:
  explicit Interrupted(const std::string& message);
  ~Interrupted() override;
};

}  // namespace ocellus
