// Losses and metrics: one work-item a sample writes weight * value and, where `gradient` is not null, the gradient.
//   prediction  (samples * pixels, columns) with a row distance; logits with FROM_LOGITS
//   target      SPARSE: one class a sample, read as a one-hot row, or as the number itself where there is one column;
//               otherwise dense, the prediction's shape
//   weights     one a sample, or null: all 1. A sample of weight 0 may hold anything, NaN included
#ifndef SPARSE
#define SPARSE 0
#endif
#ifndef FROM_LOGITS
#define FROM_LOGITS 0
#endif
#ifndef GROUP
#define GROUP 16
#endif

#if SPARSE
#define TARGET_TYPE int
#define TARGET(k) (columns == 1 ? (float)target[i] : (float)(target[i] == (k)))
#else
#define TARGET_TYPE float
#define TARGET(k) t[k]
#endif

#define PARAMETERS                                                                              \
  __global const float *prediction, uint prediction_offset, uint prediction_stride,             \
      __global const TARGET_TYPE *target, uint target_offset, __global const float *weights,    \
      uint weights_offset, __global float *per_sample, uint per_sample_offset,                  \
      __global float *gradient, uint gradient_offset, uint gradient_stride, int samples,        \
      int pixels, int columns, float gradient_scale, float option

#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void

// Everything before a sample's own sum: i, w; zeros for a sample without weight.
#define BEGIN                                                                                   \
  const int i = get_global_id(0);                                                               \
  if (i >= samples) return;                                                                     \
  const float w = weights ? weights[weights_offset + i] : 1.0f;                                 \
  per_sample += per_sample_offset + i;                                                          \
  target += target_offset;                                                                      \
  if (w == 0.0f) {                                                                              \
    *per_sample = 0.0f;                                                                         \
    if (gradient)                                                                               \
      for (int p = 0; p < pixels; ++p)                                                          \
        for (int k = 0; k < columns; ++k)                                                       \
          gradient[gradient_offset + (i * pixels + p) * gradient_stride + k] = 0.0f;            \
    return;                                                                                     \
  }                                                                                             \
  const float g = w * gradient_scale / (float)pixels;                                           \
  float sum = 0.0f;                                                                             \
  if (SPARSE && columns > 1 && (uint)target[i] >= (uint)columns) sum = NAN; /* no such class */

// x, t, dx: row p of the sample.
#define ROW                                                                                     \
  __global const float* x = prediction + prediction_offset + (i * pixels + p) * prediction_stride; \
  __global const TARGET_TYPE* t = target + (i * pixels + p) * columns;                          \
  __global float* dx = gradient + gradient_offset + (i * pixels + p) * gradient_stride;         \
  (void)t;                                                                                      \
  (void)dx;

// Keras' bound on probabilities before a logarithm.
#define EPSILON 1e-7f

// -sum t log p; `option` smooths the targets: t (1 - option) + option / columns.
KERNEL categorical_crossentropy(PARAMETERS) {
  BEGIN
  const float keep = 1.0f - option, rest = option / (float)columns;
  for (int p = 0; p < pixels; ++p) {
    ROW
#if FROM_LOGITS
    float top = x[0];
    for (int k = 1; k < columns; ++k) top = fmax(top, x[k]);
    float partition = 0.0f, mass = 0.0f;
    for (int k = 0; k < columns; ++k) {
      partition += exp(x[k] - top);
      mass += TARGET(k) * keep + rest;
    }
    const float log_partition = top + log(partition);
    for (int k = 0; k < columns; ++k) {
      const float y = TARGET(k) * keep + rest;
      if (y != 0.0f) sum += y * (log_partition - x[k]);  // 0 * infinity is 0 here
      if (gradient) dx[k] = g * (mass * exp(x[k] - log_partition) - y);
    }
#else
    // Keras divides by the sum first: q = x / total, then bounds q.
    float total = 0.0f, dot = 0.0f;
    for (int k = 0; k < columns; ++k) total += x[k];
    for (int k = 0; k < columns; ++k) {
      const float y = TARGET(k) * keep + rest, q = x[k] / total;
      const float bounded = clamp(q, EPSILON, 1.0f - EPSILON);
      sum -= y * log(bounded);
      if (q == bounded) dot += y;
    }
    if (gradient)
      for (int k = 0; k < columns; ++k) {
        const float y = TARGET(k) * keep + rest, q = x[k] / total;
        const float d = q > EPSILON && q < 1.0f - EPSILON ? y / q : 0.0f;
        dx[k] = g * (dot - d) / total;
      }
#endif
  }
  *per_sample = w * sum / (float)pixels;
}

// Mean over the columns of -(t log p + (1 - t) log(1 - p)); `option` smooths: t (1 - option) + option / 2.
KERNEL binary_crossentropy(PARAMETERS) {
  BEGIN
  const float keep = 1.0f - option, rest = 0.5f * option;
  const float scale = 1.0f / (float)columns;
  for (int p = 0; p < pixels; ++p) {
    ROW
    for (int k = 0; k < columns; ++k) {
      const float y = TARGET(k) * keep + rest;
#if FROM_LOGITS
      const float e = exp(-fabs(x[k]));
      sum += scale * (fmax(x[k], 0.0f) - x[k] * y + log1p(e));
      if (gradient) dx[k] = g * scale * ((x[k] >= 0.0f ? 1.0f : e) / (1.0f + e) - y);
#else
      const float q = clamp(x[k], EPSILON, 1.0f - EPSILON);
      sum -= scale * (y * log(q) + (1.0f - y) * log(1.0f - q));
      if (gradient) dx[k] = x[k] == q ? g * scale * (q - y) / (q * (1.0f - q)) : 0.0f;
#endif
    }
  }
  *per_sample = w * sum / (float)pixels;
}

KERNEL mean_squared_error(PARAMETERS) {
  BEGIN
  const float scale = 1.0f / (float)columns;
  for (int p = 0; p < pixels; ++p) {
    ROW
    for (int k = 0; k < columns; ++k) {
      const float d = x[k] - TARGET(k);
      sum += scale * d * d;
      if (gradient) dx[k] = g * scale * 2.0f * d;
    }
  }
  *per_sample = w * sum / (float)pixels;
}

KERNEL mean_absolute_error(PARAMETERS) {
  BEGIN
  const float scale = 1.0f / (float)columns;
  for (int p = 0; p < pixels; ++p) {
    ROW
    for (int k = 0; k < columns; ++k) {
      const float d = x[k] - TARGET(k);
      sum += scale * fabs(d);
      if (gradient) dx[k] = g * scale * (d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f);
    }
  }
  *per_sample = w * sum / (float)pixels;
}

// Whether fewer than `option` columns lie strictly above the target's column; dense targets: that of their first maximum.
// With option 1 and SPARSE off, ties aside, this is "the argmax of both agree".
KERNEL top_k(PARAMETERS) {
  BEGIN
  (void)g;
  for (int p = 0; p < pixels; ++p) {
    ROW
#if SPARSE
    const int truth = clamp(target[i], 0, columns - 1);
#else
    int truth = 0;
    for (int k = 1; k < columns; ++k)
      if (t[k] > t[truth]) truth = k;
#endif
    float above = 0.0f;
    for (int k = 0; k < columns; ++k) above += x[k] > x[truth] ? 1.0f : 0.0f;
    sum += above < option && x[truth] == x[truth] ? 1.0f : 0.0f;
  }
  *per_sample = w * sum / (float)pixels;
}

// Whether the first maximum of the prediction is the target's.
KERNEL accuracy(PARAMETERS) {
  BEGIN
  (void)g;
  for (int p = 0; p < pixels; ++p) {
    ROW
    int top = 0;
    for (int k = 1; k < columns; ++k)
      if (x[k] > x[top]) top = k;
#if SPARSE
    const int truth = target[i];
#else
    int truth = 0;
    for (int k = 1; k < columns; ++k)
      if (t[k] > t[truth]) truth = k;
#endif
    sum += top == truth && x[top] == x[top] ? 1.0f : 0.0f;
  }
  *per_sample = w * sum / (float)pixels;
}

// Mean over the columns of (p > option) == t; logits are compared with 0.
KERNEL binary_accuracy(PARAMETERS) {
  BEGIN
  (void)g;
  const float threshold = FROM_LOGITS ? log(option / (1.0f - option)) : option;
  for (int p = 0; p < pixels; ++p) {
    ROW
    for (int k = 0; k < columns; ++k)
      sum += (x[k] > threshold) == (TARGET(k) > 0.5f) ? 1.0f : 0.0f;
  }
  *per_sample = w * sum / ((float)pixels * (float)columns);
}
