#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "ocellus/opencl/axis.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Copies a matrix of rows x columns between strided places; adds with `accumulate`.
OCELLUS_API void copy_matrix(Queue& queue, const Operand& from, const Operand& to, int rows,
                             int columns, bool accumulate = false);

/// y[permuted] = x: numpy's transpose. `shape` is x's, rank 1 to 5, contiguous; axis i of y is axis
/// order[i] of x.
OCELLUS_API void transpose(Queue& queue, const Operand& x, const Operand& y,
                           std::span<const int> shape, std::span<const int> order);

/// out[i][:] = in[index[i]][:], rows of `columns` floats (element size 4) or bytes (element size
/// 1); indices int32. u8 input with `to_float` is converted: out = in * scale + shift.
struct GatherOptions {
  bool from_u8 = false;
  float scale = 1, shift = 0;  ///< applied when from_u8
};
OCELLUS_API void gather_rows(Queue& queue, const Operand& from, const Buffer& index,
                             const Operand& out, int count, int columns,
                             const GatherOptions& options = {});

/// u8 pixels to floats: out = in * scale[c] + shift[c], channels in `order` (order[c] = source
/// channel). rows = pixels.
OCELLUS_API void convert_u8(Queue& queue, const Operand& from, const Operand& out, int rows,
                            int channels, std::span<const float> scale,
                            std::span<const float> shift, std::span<const int> order);

/// Cuts windows out of images and fills what lies outside: out (items, out_h, out_w, channels);
/// item i takes x[image[i]] from origin[i] = (y, x) on (may be negative); outside the image stands
/// `fill`. Incremental evaluation cuts its patches with it (design: two-source gather): where
/// `patch` is given, item i has a patch of patch_h x patch_w at patch_origin[i], in image
/// coordinates, that wins over the image.
struct WindowGather {
  int items = 0, out_h = 0, out_w = 0, channels = 0;
  int image_h = 0, image_w = 0;
  int patch_h = 0, patch_w = 0;
  float fill = 0;
};
OCELLUS_API void gather_windows(Queue& queue, const WindowGather& g, const Operand& images,
                                const Buffer& image_index, const Buffer& origins,
                                const Operand& patches, const Buffer& patch_origins,
                                const Operand& out);
/// The way back: writes each item's patch into a copy of the full map: out (items, image_h,
/// image_w, channels).
OCELLUS_API void scatter_patches(Queue& queue, const WindowGather& g, const Operand& images,
                                 const Buffer& image_index, const Operand& patches,
                                 const Buffer& patch_origins, const Operand& out);

/// Zero padding (or any value) round an image and its gradient, which is a crop: y (batch, h + top
/// + bottom, ...).
struct PadProblem {
  int batch = 1, h = 1, w = 1, channels = 1;
  int top = 0, bottom = 0, left = 0, right = 0;
  float value = 0;
};
OCELLUS_API void pad(Queue& queue, const PadProblem& p, const Operand& x, const Operand& y,
                     bool accumulate = false);
OCELLUS_API void crop(Queue& queue, const PadProblem& p, const Operand& y, const Operand& x,
                      bool accumulate = false);

}  // namespace ocellus::opencl
