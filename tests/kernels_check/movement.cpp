#include "ocellus/opencl/movement.hpp"

#include <cmath>

#include "kernels_check/checks.hpp"
#include "ocellus/opencl/resample.hpp"

namespace ocellus::test {

using namespace opencl;

void check_movement(Checker& c) {
  const int rows = 18, columns = 21;
  const auto x = noise(rows * columns, 1);
  GuardedMatrix in = c.matrix(rows, columns, x), out = c.matrix(rows, columns);
  const Doubles same(x.begin(), x.end());
  copy_matrix(c.queue(), in, out, rows, columns);
  c.check("copy_matrix", out, same);

  Doubles turned(rows * columns);
  for (int i = 0; i < rows * columns; ++i) turned[i % columns * rows + i / columns] = x[i];
  GuardedMatrix dense = c.matrix(1, rows * columns, x), transposed = c.matrix(1, rows * columns);
  const std::vector<int> shape = {rows, columns}, order = {1, 0};
  transpose(c.queue(), dense, transposed, shape, order);
  c.check("transpose", transposed, turned);

  Doubles gathered;
  const std::vector<int32_t> index = {17, 0, 3};
  for (int i : index) gathered.insert(gathered.end(), &x[i * columns], &x[i * columns] + columns);
  GuardedMatrix picked = c.matrix(3, columns);
  gather_rows(c.queue(), in, upload(c.device(), index), picked, 3, columns);
  c.check("gather_rows", picked, gathered);

  // The matrix as an image of 3 x 6 pixels, and a window of 4 x 4 that hangs over its upper left
  // corner.
  Doubles window, padded;
  for (int i = -1; i < 3; ++i)
    for (int j = -2; j < 2; ++j)
      for (int ch = 0; ch < columns; ++ch)
        window.push_back(i < 0 || j < 0 ? 0.5 : x[(i * 6 + j) * columns + ch]);
  for (int i = -1; i < 3; ++i)
    for (int j = -2; j < 6; ++j)
      for (int ch = 0; ch < columns; ++ch)
        padded.push_back(i < 0 || j < 0 ? 0.5 : x[(i * 6 + j) * columns + ch]);
  GuardedMatrix cut = c.matrix(16, columns), large = c.matrix(32, columns);
  gather_windows(c.queue(), {1, 4, 4, columns, 3, 6, 0, 0, 0.5f}, in, {},
                 upload(c.device(), std::vector<int32_t>{-1, -2}), {}, {}, cut);
  c.check("gather_windows", cut, window);
  const PadProblem p{1, 3, 6, columns, 1, 0, 2, 0, 0.5f};
  pad(c.queue(), p, in, large);
  c.check("pad", large, padded);
  crop(c.queue(), p, large, out);
  c.check("crop", out, same);

  Doubles larger;  // columns twice as many: 0, 1/4, 3/4, 1 1/4, ... of the way
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 12; ++j)
      for (int ch = 0; ch < columns; ++ch) {
        const double at = std::clamp(j / 2.0 - 0.25, 0.0, 5.0);
        const int low = static_cast<int>(at), high = std::min(low + 1, 5);
        larger.push_back((1 - at + low) * x[(i * 6 + low) * columns + ch] +
                         (at - low) * x[(i * 6 + high) * columns + ch]);
      }
  GuardedMatrix resampled = c.matrix(36, columns);
  Resample(c.device(), 1, columns, ResampleAxis::nearest(3, 3), ResampleAxis::linear(6, 12))
      .run(c.queue(), in, resampled);
  c.check("resample", resampled, larger, 4);
}

}  // namespace ocellus::test
