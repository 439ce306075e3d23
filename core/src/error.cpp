#include "ocellus/core/error.hpp"

namespace ocellus {

UsageError::UsageError(const std::string& message, std::string detail)
    : Error(message, ExitCode::usage, std::move(detail)) {}
UsageError::~UsageError() = default;

ShapeError::ShapeError(const std::string& message) : UsageError(message) {}
ShapeError::~ShapeError() = default;

PluginError::PluginError(const std::string& message, std::string detail)
    : Error(message, ExitCode::plugin, std::move(detail)) {}
PluginError::~PluginError() = default;

DataError::DataError(const std::string& message, std::string detail)
    : Error(message, ExitCode::data, std::move(detail)) {}
DataError::~DataError() = default;

Interrupted::Interrupted(const std::string& message) : Error(message, ExitCode::interrupted) {}
Interrupted::~Interrupted() = default;

}  // namespace ocellus
