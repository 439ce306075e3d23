#pragma once

#include <boost/test/unit_test.hpp>

#include "opencl/operands.hpp"

namespace ocellus::test {

/// `terms`: see error_ratio().
inline void check_close(const std::vector<float>& actual, const std::vector<double>& expected,
                        double terms, const std::string& what) {
  const double error = error_ratio(actual, expected, terms);
  BOOST_CHECK_MESSAGE(error <= 1, what << ": " << error << " times the error bound");
}

}  // namespace ocellus::test
