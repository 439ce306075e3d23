#include "ocellus/opencl/reduce.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

/// Rows that one launch sums as fast as two.
constexpr int short_rows = 256;
constexpr size_t vector_columns = 64;  ///< of a work-item of sum_rows_parts and moments_parts

/// How rows are split into parts. Where rows have no gaps between them, `fold` of them are seen as
/// one of fold * columns, so that a matrix of 6 columns still fills the vectors; the second launch
/// joins parts * fold partial results.
struct Plan {
  uint32_t rows, columns, fold, part_rows, parts;
  size_t partials() const { return size_t{parts} * fold; }
};

/// Work-group of the tiled kernels: lx across columns, ly across rows.
struct Lanes {
  size_t lx = 1, ly = 1;
};

Lanes lanes_of(const Device& device, int columns) {
  const size_t group = group_size(device);
  Lanes l;
  while (l.lx < 32 && l.lx < group && l.lx < static_cast<size_t>(columns)) l.lx *= 2;
  l.ly = group / l.lx;
  return l;
}

uint32_t fold_of(const Device& device, int rows, int columns) {
  uint32_t fold = 1;
  if (device.family() == KernelFamily::vector && columns < 128)
    while (fold < 16 && rows % (2 * fold) == 0 && fold * columns % 16 != 0) fold *= 2;
  return fold;
}

Plan plan_of(const Device& device, int rows, int columns, uint32_t fold) {
  Plan p{rows / fold, columns * fold, fold, 1, 1};
  size_t parts = 1;
  if (device.family() == KernelFamily::vector) {
    const size_t blocks = (p.columns + vector_columns - 1) / vector_columns;
    parts = std::min<size_t>(std::max<size_t>(1, 4 * device.info().compute_units / blocks),
                             p.rows / 64);
  } else {
    parts = std::min<size_t>(64, p.rows / (lanes_of(device, columns).ly * 8));
  }
  parts = std::max<size_t>(1, parts);
  p.part_rows = static_cast<uint32_t>((p.rows + parts - 1) / parts);
  p.parts = p.part_rows == 0 ? 0 : (p.rows + p.part_rows - 1) / p.part_rows;
  return p;
}

/// The parts of sum_squares: the vector family's blocks, or 64 work-groups.
size_t square_parts(const Device& device, size_t rows, size_t columns) {
  const MatrixSplit s = split_matrix(device, rows, columns);
  return device.family() == KernelFamily::vector ? s.range.global[0] * s.range.global[1]
                                                 : std::min<size_t>(64, rows * columns);
}

}  // namespace

struct Reduce::State {
  Op op;
  int rows, columns, segment;
  bool accumulate;
  Lanes lanes = {};
  Plan strided = {}, folded = {};
  Kernel parts = {}, finish = {};

  bool vector(const Queue& q) const { return q.device().family() == KernelFamily::vector; }
  void sum_rows(Queue& queue, const Operand& x, const Operand& out, const Buffer& workspace) const;
  void moments(Queue& queue, const Operand& x, const Operand& out, const Buffer& workspace) const;
  void sum_squares(Queue& queue, const Operand& x, const Operand& out,
                   const Buffer& workspace) const;
  void per_row(Queue& queue, const Operand& x, const Operand& out) const;
  void segments(Queue& queue, const Operand& x, const Operand& out, const Operand& where) const;
  const Plan& plan(const Operand& x) const {
    return x.stride == static_cast<uint32_t>(columns) ? folded : strided;
  }
  void first_stage(Queue& queue, const Plan& p, const Operand& x, const Buffer& workspace) const;
  void finish_sum(Queue& queue, size_t parts, const Operand& partial, const Operand& out) const;
};

void Reduce::State::first_stage(Queue& queue, const Plan& p, const Operand& x,
                                const Buffer& workspace) const {
  const uint32_t stride = p.fold == 1 ? x.stride : p.columns;
  const Range range =
      vector(queue)
          ? Range{{(p.columns + vector_columns - 1) / vector_columns, p.parts, 1}, {1, 1, 1}}
          : Range{{Range::round_up(p.columns, lanes.lx), p.parts * lanes.ly, 1},
                  {lanes.lx, lanes.ly, 1}};
  parts(queue, range, p.rows, p.columns, p.part_rows, x.buffer, x.offset, stride, workspace);
}

void Reduce::State::finish_sum(Queue& queue, size_t count, const Operand& partial,
                               const Operand& out) const {
  const size_t width = op == Op::sum_squares ? 1 : columns;
  const MatrixSplit s = split_matrix(queue.device(), 1, width, count);
  finish(queue, s.range, s.rows, s.columns, s.chunk_rows, s.chunk_columns,
         static_cast<uint32_t>(count), partial.buffer, partial.offset, partial.stride, out.buffer,
         out.offset, int32_t{accumulate});
}

void Reduce::State::sum_rows(Queue& queue, const Operand& x, const Operand& out,
                             const Buffer& workspace) const {
  if (rows <= short_rows) return finish_sum(queue, rows, x, out);
  const Plan& p = plan(x);
  first_stage(queue, p, x, workspace);
  finish_sum(queue, p.partials(), {workspace, 0, static_cast<uint32_t>(columns)}, out);
}

void Reduce::State::moments(Queue& queue, const Operand& x, const Operand& out,
                            const Buffer& workspace) const {
  const Plan& p = plan(x);
  first_stage(queue, p, x, workspace);
  const MatrixSplit s = split_matrix(queue.device(), 1, columns, 2 * p.partials());
  finish(queue, s.range, s.rows, s.columns, s.chunk_rows, s.chunk_columns, p.parts, p.fold,
         p.part_rows, p.rows, workspace, out.buffer, out.offset);
}

void Reduce::State::sum_squares(Queue& queue, const Operand& x, const Operand& out,
                                const Buffer& workspace) const {
  const bool one_row = x.stride == static_cast<uint32_t>(columns);
  const size_t r = one_row ? 1 : rows, c = one_row ? size_t(rows) * columns : columns;
  const size_t count = square_parts(queue.device(), r, c);
  if (vector(queue)) {
    const MatrixSplit s = split_matrix(queue.device(), r, c);
    parts(queue, s.range, s.rows, s.columns, s.chunk_rows, s.chunk_columns, x.buffer, x.offset,
          x.stride, workspace);
  } else {
    const size_t group = group_size(queue.device());
    const auto part = static_cast<uint32_t>((r * c + count - 1) / count);
    parts(queue, Range{{count * group, 1, 1}, {group, 1, 1}}, static_cast<uint32_t>(r),
          static_cast<uint32_t>(c), part, x.buffer, x.offset, x.stride, workspace);
  }
  finish_sum(queue, count, {workspace, 0, 1}, out);
}

void Reduce::State::per_row(Queue& queue, const Operand& x, const Operand& out) const {
  uint32_t chunk = 1;
  Range range{{static_cast<size_t>(rows), 1, 1}, {1, 1, 1}};
  if (vector(queue)) {
    chunk = std::max(1, std::min(1024 / columns, rows / 8));
    range.global[0] = (rows + chunk - 1) / chunk;
  } else {
    range.local[0] = group_size(queue.device());
    range.global[0] = rows * range.local[0];
  }
  Arguments a;
  a.add(int32_t{rows}).add(int32_t{columns}).add(chunk).add(x.buffer).add(x.offset).add(x.stride);
  a.add(out.buffer).add(out.offset);
  if (op == Op::sum_columns) a.add(int32_t{accumulate});
  parts.launch(queue, range, a);
}

void Reduce::State::segments(Queue& queue, const Operand& x, const Operand& out,
                             const Operand& where) const {
  const MatrixSplit s = split_matrix(queue.device(), rows / segment, columns, segment);
  Arguments a;
  s.append(a);
  a.add(int32_t{segment})
      .add(x.buffer)
      .add(x.offset)
      .add(x.stride)
      .add(out.buffer)
      .add(out.offset)
      .add(out.stride);
  if (op == Op::max_rows) a.add(where.buffer).add(where.offset).add(where.stride);
  parts.launch(queue, s.range, a);
}

Reduce::Reduce(Device& device, Op op, int rows, int columns, int segment, bool accumulate)
    : state_(new State{op, rows, columns, segment, accumulate}) {
  if (rows < 1 || columns < 1)
    throw Error(fmt::format("nothing to reduce in a matrix of {} x {}", rows, columns));
  const bool segmented = op == Op::max_rows || op == Op::mean_segments;
  if (segmented && (segment < 1 || rows % segment != 0))
    throw Error(
        fmt::format("{} rows are not a whole number of segments of {} rows", rows, segment));
  if (accumulate && op != Op::sum_rows && op != Op::sum_columns)
    throw Error("only sum_rows and sum_columns can accumulate");
  state_->lanes = lanes_of(device, columns);
  state_->strided = plan_of(device, rows, columns, 1);
  state_->folded = plan_of(device, rows, columns, fold_of(device, rows, columns));
  const auto kernel = [&](const char* name, bool two_dimensional = false) {
    std::string options = family_options(device);
    if (two_dimensional && device.family() == KernelFamily::tiled)
      options += fmt::format(" -DLX={} -DLY={}", state_->lanes.lx, state_->lanes.ly);
    return device.kernel(kernels::reduce_cl(), name, options);
  };
  switch (op) {
    case Op::sum_rows:
      if (rows > short_rows) state_->parts = kernel("sum_rows_parts", true);
      state_->finish = kernel("finish_sum");
      break;
    case Op::moments:
      state_->parts = kernel("moments_parts", true);
      state_->finish = kernel("finish_moments");
      break;
    case Op::sum_squares:
      state_->parts = kernel("sum_squares_parts");
      state_->finish = kernel("finish_sum");
      break;
    case Op::sum_columns:
      state_->parts = kernel("sum_columns");
      break;
    case Op::argmax_columns:
      state_->parts = kernel("argmax_columns");
      break;
    case Op::mean_segments:
      state_->parts = kernel("mean_segments");
      break;
    case Op::max_rows:
      state_->parts = kernel("max_segments");
      break;
  }
  if (op == Op::sum_squares)  // room for either shape of the launch
    state_->strided.parts = static_cast<uint32_t>(std::max(
        square_parts(device, rows, columns), square_parts(device, 1, size_t(rows) * columns)));
}
Reduce::~Reduce() = default;
Reduce::Reduce(Reduce&&) noexcept = default;

size_t Reduce::workspace_bytes() const {
  const State& s = *state_;
  const size_t partials = std::max(s.strided.partials(), s.folded.partials());
  switch (s.op) {
    case Op::sum_rows:
      return s.rows <= short_rows ? 0 : partials * s.columns * sizeof(float);
    case Op::moments:
      return 2 * partials * s.columns * sizeof(float);
    case Op::sum_squares:
      return s.strided.parts * sizeof(float);
    default:
      return 0;
  }
}

void Reduce::run(Queue& queue, const Operand& x, const Operand& out, const Buffer& workspace,
                 const Operand& second) const {
  if (workspace_bytes() > 0 && (!workspace || workspace.bytes() < workspace_bytes()))
    throw Error(fmt::format("a reduction needs {} bytes of workspace, {} were given",
                            workspace_bytes(), workspace ? workspace.bytes() : 0));
  switch (state_->op) {
    case Op::sum_rows:
      return state_->sum_rows(queue, x, out, workspace);
    case Op::moments:
      return state_->moments(queue, x, out, workspace);
    case Op::sum_squares:
      return state_->sum_squares(queue, x, out, workspace);
    case Op::sum_columns:
    case Op::argmax_columns:
      return state_->per_row(queue, x, out);
    case Op::mean_segments:
    case Op::max_rows:
      return state_->segments(queue, x, out, second);
  }
}

}  // namespace ocellus::opencl
