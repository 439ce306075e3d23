// Sixteen floats at a time, or fewer at the end of a row: the vector family's loads and stores.
#ifndef OCELLUS_VECTOR_CL
#define OCELLUS_VECTOR_CL

// A vector anywhere in memory. PoCL's vload and vstore are made of halves, which its compiler does not always join again.
typedef float16 loose16 __attribute__((aligned(4)));

// The first n (1 to 16) of 16 floats; the other lanes are 0. Nothing beyond p[n - 1] is read.
inline float16 load_n(__global const float* p, uint n) {
  if (n == 16) return vload16(0, p);
  float4 low = (float4)(0.0f);
  __global const float* q = p + (n & 12);
  if (n & 2) {
    low.xy = vload2(0, q);
    if (n & 1) low.z = q[2];
  } else if (n & 1) {
    low.x = q[0];
  }
  float8 lower = (float8)(low, (float4)(0.0f));
  if (n & 4) lower = (float8)(vload4(0, p + (n & 8)), low);
  if (n & 8) return (float16)(vload8(0, p), lower);
  return (float16)(lower, (float8)(0.0f));
}

// As load_n, but lanes beyond n may hold whatever follows in memory below `end`: one load where load_n makes up to four.
inline float16 load_wide(__global const float* p, uint n, __global const float* end) {
  return p + 16 <= end ? vload16(0, p) : load_n(p, n);
}

inline void store_n(float16 v, __global float* p, uint n) {
  if (n == 16) {
    vstore16(v, 0, p);
    return;
  }
  if (n & 8) {
    vstore8(v.lo, 0, p);
    p += 8;
    v.lo = v.hi;
  }
  if (n & 4) {
    vstore4(v.s0123, 0, p);
    p += 4;
    v.s0123 = v.s4567;
  }
  if (n & 2) {
    vstore2(v.s01, 0, p);
    p += 2;
    v.s0 = v.s2;
  }
  if (n & 1) *p = v.s0;
}

// Asks for a line of cache that is needed soon; where the compiler knows no such thing, it comes when it is needed.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif

inline float sum16(float16 v) {
  const float8 a = v.lo + v.hi;
  const float4 b = a.lo + a.hi;
  return (b.x + b.z) + (b.y + b.w);
}

inline float max16(float16 v) {
  const float8 a = fmax(v.lo, v.hi);
  const float4 b = fmax(a.lo, a.hi);
  return fmax(fmax(b.x, b.z), fmax(b.y, b.w));
}

#endif
