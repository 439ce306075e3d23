// One pass of an optimizer over a run of an arena: v the value, g its gradient, a and b the slots.
//   ELEMENTS  consecutive elements a work-item updates: 1 on GPUs (neighbours read neighbours), many on CPUs, where the
//             compiler turns the plain loop into vectors
// `rate` is the learning rate with all factors; `decay` the share of the value that decoupled weight decay takes away.
#ifndef ELEMENTS
#define ELEMENTS 1
#endif
#ifndef GROUP
#define GROUP 64
#endif

#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
#define RUN uint offset, uint count, float rate, float decay
#define FOR_EACH                                                              \
  const uint first = (uint)get_global_id(0) * ELEMENTS;                       \
  const uint last = min(first + ELEMENTS, count);                             \
  v += offset;                                                                \
  g += offset;                                                                \
  for (uint i = first; i < last; ++i)

KERNEL sgd(__global float* restrict v, __global const float* restrict g, RUN) {
  FOR_EACH v[i] -= decay * v[i] + rate * g[i];
}

// Sutskever et al., ICML 2013; Keras keeps the learning rate inside the momentum.
KERNEL sgd_momentum(__global float* restrict v, __global const float* restrict g, __global float* restrict a, RUN,
                    float momentum, float nesterov) {
  a += offset;
  FOR_EACH {
    const float step = rate * g[i];
    const float m = momentum * a[i] - step;
    a[i] = m;
    v[i] += (nesterov != 0.0f ? momentum * m - step : m) - decay * v[i];
  }
}

// Kingma and Ba, ICLR 2015, in the form at the end of its section 2: the bias corrections are in `rate`, so epsilon is not
// corrected (Keras' choice). With decay: Loshchilov and Hutter, ICLR 2019.
KERNEL adam(__global float* restrict v, __global const float* restrict g, __global float* restrict a,
            __global float* restrict b, RUN, float beta_1, float beta_2, float epsilon) {
  a += offset;
  b += offset;
  FOR_EACH {
    const float m = a[i] + (g[i] - a[i]) * (1.0f - beta_1);
    const float s = b[i] + (g[i] * g[i] - b[i]) * (1.0f - beta_2);
    a[i] = m;
    b[i] = s;
    v[i] -= decay * v[i] + rate * m / (sqrt(s) + epsilon);
  }
}

// Hinton's lecture 6e; epsilon inside the root, as in Keras. MOMENTUM and CENTERED add their slots, in this order.
#ifndef MOMENTUM
#define MOMENTUM 0
#endif
#ifndef CENTERED
#define CENTERED 0
#endif
KERNEL rmsprop(__global float* restrict v, __global const float* restrict g, __global float* restrict a,
#if MOMENTUM
               __global float* restrict m,
#endif
#if CENTERED
               __global float* restrict c,
#endif
               RUN, float rho, float momentum, float epsilon) {
  a += offset;
#if MOMENTUM
  m += offset;
#endif
#if CENTERED
  c += offset;
#endif
  FOR_EACH {
    const float s = rho * a[i] + (1.0f - rho) * g[i] * g[i];
    a[i] = s;
    float denominator = s + epsilon;
#if CENTERED
    const float mean = rho * c[i] + (1.0f - rho) * g[i];
    c[i] = mean;
    denominator -= mean * mean;
#endif
    float step = rate * g[i] / sqrt(denominator);
#if MOMENTUM
    step += momentum * m[i];
    m[i] = step;
#endif
    v[i] -= decay * v[i] + step;
  }
}
