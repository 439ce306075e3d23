// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11.
// Four counters side by side: lane i of c0..c3 is counter i, and of the results w0..w3 its four words.
#ifndef OCELLUS_PHILOX_CL
#define OCELLUS_PHILOX_CL

inline void philox4x32_4(uint4* c0, uint4* c1, uint4* c2, uint4* c3, uint k0, uint k1) {
  uint4 a = *c0, b = *c1, c = *c2, d = *c3;
  for (int round = 0; round < 10; ++round) {
    // One 32 x 32 -> 64 bit product; mul_hi() would be taken apart lane by lane on CPUs.
    const ulong4 p0 = convert_ulong4(a) * 0xD2511F53ul, p1 = convert_ulong4(c) * 0xCD9E8D57ul;
    const uint4 high0 = convert_uint4(p0 >> 32), low0 = convert_uint4(p0);
    const uint4 high1 = convert_uint4(p1 >> 32), low1 = convert_uint4(p1);
    a = high1 ^ b ^ k0;
    b = low1;
    c = high0 ^ d ^ k1;
    d = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  *c0 = a;
  *c1 = b;
  *c2 = c;
  *c3 = d;
}

// The four words of one counter (element / 4, sample, node, step).
inline uint4 philox4x32(uint4 counter, uint k0, uint k1) {
  uint4 a = counter.x, b = counter.y, c = counter.z, d = counter.w;
  philox4x32_4(&a, &b, &c, &d, k0, k1);
  return (uint4)(a.x, b.x, c.x, d.x);
}

// The 16 words of the four counters (block, ...) to (block + 3, ...), in the order of their elements.
inline uint16 philox4x32_16(uint block, uint sample, uint node, uint step, uint k0, uint k1) {
  uint4 a = block + (uint4)(0, 1, 2, 3), b = sample, c = node, d = step;
  philox4x32_4(&a, &b, &c, &d, k0, k1);
  return (uint16)(a.x, b.x, c.x, d.x, a.y, b.y, c.y, d.y, a.z, b.z, c.z, d.z, a.w, b.w, c.w, d.w);
}

// The upper 24 bits as a float in [0, 1).
inline float4 uniform4(uint4 words) { return convert_float4(words >> 8) * 0x1p-24f; }
inline float16 uniform16(uint16 words) { return convert_float16(words >> 8) * 0x1p-24f; }

#endif
