#include "ocellus/core/classifier.hpp"

namespace ocellus {

ClassifierModel::~ClassifierModel() = default;
Classifier::~Classifier() = default;

}  // namespace ocellus
