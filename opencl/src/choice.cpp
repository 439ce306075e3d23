#include "choice.hpp"

#include <sstream>

#include "convolution_algorithm.hpp"
#include "device_list.hpp"
#include "gemm_algorithm.hpp"

namespace ocellus::opencl {

std::vector<std::string> wanted_algorithms() {
  std::vector<std::string> wanted, known = convolution_algorithm_names();
  for (std::string& name : gemm_algorithm_names()) known.push_back(std::move(name));
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  std::istringstream list(environment("OCELLUS_ALGORITHMS"));
  for (std::string name; std::getline(list, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error(fmt::format("OCELLUS_ALGORITHMS: there is no algorithm '{}' (there are: {})",
                              name, fmt::join(known, ", ")),
                  ExitCode::usage);
    wanted.push_back(name);
  }
  return wanted;
}

}  // namespace ocellus::opencl
