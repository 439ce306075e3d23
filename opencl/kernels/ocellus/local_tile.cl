// The body of a tiled matrix product, C (M, N) = A (M, K) B (K, N), to be included inside a kernel. A work-group makes a tile
// of BM x BN of C, a work-item TM x TN of it, through local memory that holds BK columns of A and BK rows of B.
//
// The including kernel defines, before this line, what the matrices are:
//   M, N, K_BEGIN, K_END   extents; the sum runs over K_BEGIN <= k < K_END
//   A_VALUE(i, k)          element of A, 0 outside of it; likewise B_VALUE(k, j)
//   STORE_VALUE(i, j, v)   takes a result that lies inside C
//   A_ALONG_K, B_ALONG_K   (optional) neighbours in memory are neighbours in k: then work-items walk along k when they load
// and for vectors of four, which must be wholly inside or outside of the matrix and lie at 16 bytes:
//   A_FOURS, B_FOURS, C_FOURS          whether memory is like that: an expression, the same for all work-items
//   A_VALUE4(i, k), B_VALUE4(k, j)     the four from there on in the order of memory
//   STORE_VALUE4(i, j, v)              takes four neighbours in a row
// The host bakes in BM BN BK TM TN; GROUP = BM / TM * (BN / TN) work-items in dimension 0.
// Groups: dimension 0 tiles of M, dimension 1 tiles of N. Each sum runs in the order of k. The kernel's last parameters are
// uint first_tile, uint first_product: long work is cut into several launches, which begin at another tile of M or at another of the
// products that dimension 2 counts.

// A work-item's rows are runs of TILE_RUN(TM), its columns runs of TILE_RUN(TN); runs of neighbours follow each other.
#define TILE_RUN(n) ((n) % 4 == 0 ? 4 : (n) % 2 == 0 ? 2 : 1)
#define TILE_AT(corner, u, t, b) ((u) / TILE_RUN(t) * ((b) / (t) * TILE_RUN(t)) + (corner) * TILE_RUN(t) + (u) % TILE_RUN(t))
// TILE_READ_n: a run from local memory, in one instruction.
#define TILE_READ_4(to, from)                                            \
  {                                                                      \
    const float4 four = *(const __local float4*)(from);                  \
    (to)[0] = four.x, (to)[1] = four.y, (to)[2] = four.z, (to)[3] = four.w; \
  }
#define TILE_READ_2(to, from)                           \
  {                                                     \
    const float2 two = *(const __local float2*)(from);  \
    (to)[0] = two.x, (to)[1] = two.y;                   \
  }
#define TILE_READ_1(to, from) (to)[0] = *(from);
#if TM % 4 == 0
#define TILE_READ_A TILE_READ_4
#elif TM % 2 == 0
#define TILE_READ_A TILE_READ_2
#else
#define TILE_READ_A TILE_READ_1
#endif
#if TN % 4 == 0
#define TILE_READ_B TILE_READ_4
#elif TN % 2 == 0
#define TILE_READ_B TILE_READ_2
#else
#define TILE_READ_B TILE_READ_1
#endif

// + 4: columns lie in different banks, rows at 16 bytes.
__local float a_tile[BK][BM + 4] __attribute__((aligned(16))), b_tile[BK][BN + 4] __attribute__((aligned(16)));

const uint tile_lane = get_local_id(0);
const uint tile_i = tile_lane / (BN / TN), tile_j = tile_lane % (BN / TN);
const uint i_begin = (first_tile + get_group_id(0)) * BM, j_begin = get_group_id(1) * BN;

float tile_sum[TM][TN];
#pragma unroll
for (uint u = 0; u < TM; ++u)
#pragma unroll
  for (uint v = 0; v < TN; ++v) tile_sum[u][v] = 0.0f;

for (uint k_begin = K_BEGIN; k_begin < K_END; k_begin += BK) {
  if (A_FOURS) {
#pragma unroll
    for (uint first = 0; first < BM * BK / 4; first += GROUP) {
      const uint e = first + tile_lane;
      if (e >= BM * BK / 4) continue;
#ifdef A_ALONG_K
      const uint l = e % (BK / 4) * 4, i = e / (BK / 4);
      const float4 four = A_VALUE4(i_begin + i, k_begin + l);
      a_tile[l][i] = four.x, a_tile[l + 1][i] = four.y, a_tile[l + 2][i] = four.z, a_tile[l + 3][i] = four.w;
#else
      const uint l = e / (BM / 4), i = e % (BM / 4) * 4;
      *(__local float4*)&a_tile[l][i] = A_VALUE4(i_begin + i, k_begin + l);
#endif
    }
  } else {
#pragma unroll
    for (uint e = 0; e < BM * BK / GROUP; ++e) {
#ifdef A_ALONG_K
      const uint l = tile_lane % BK, i = tile_lane / BK + e * (GROUP / BK);
#else
      const uint l = (tile_lane + e * GROUP) / BM, i = (tile_lane + e * GROUP) % BM;
#endif
      a_tile[l][i] = A_VALUE(i_begin + i, k_begin + l);
    }
  }
  if (B_FOURS) {
#pragma unroll
    for (uint first = 0; first < BN * BK / 4; first += GROUP) {
      const uint e = first + tile_lane;
      if (e >= BN * BK / 4) continue;
#ifdef B_ALONG_K
      const uint l = e % (BK / 4) * 4, j = e / (BK / 4);
      const float4 four = B_VALUE4(k_begin + l, j_begin + j);
      b_tile[l][j] = four.x, b_tile[l + 1][j] = four.y, b_tile[l + 2][j] = four.z, b_tile[l + 3][j] = four.w;
#else
      const uint l = e / (BN / 4), j = e % (BN / 4) * 4;
      *(__local float4*)&b_tile[l][j] = B_VALUE4(k_begin + l, j_begin + j);
#endif
    }
  } else {
#pragma unroll
    for (uint e = 0; e < BN * BK / GROUP; ++e) {
#ifdef B_ALONG_K
      const uint l = tile_lane % BK, j = tile_lane / BK + e * (GROUP / BK);
#else
      const uint l = (tile_lane + e * GROUP) / BN, j = (tile_lane + e * GROUP) % BN;
#endif
      b_tile[l][j] = B_VALUE(k_begin + l, j_begin + j);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint l = 0; l < BK; ++l) {
    float a_items[TM], b_items[TN];
#pragma unroll
    for (uint u = 0; u < TM; u += TILE_RUN(TM)) TILE_READ_A(a_items + u, &a_tile[l][TILE_AT(tile_i, u, TM, BM)])
#pragma unroll
    for (uint v = 0; v < TN; v += TILE_RUN(TN)) TILE_READ_B(b_items + v, &b_tile[l][TILE_AT(tile_j, v, TN, BN)])
#pragma unroll
    for (uint u = 0; u < TM; ++u)
#pragma unroll
      for (uint v = 0; v < TN; ++v) tile_sum[u][v] = fma(a_items[u], b_items[v], tile_sum[u][v]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

#pragma unroll
for (uint u = 0; u < TM; ++u) {
  const uint i = i_begin + TILE_AT(tile_i, u, TM, BM);
  if (i >= M) continue;
#if TN % 4 == 0
  if (C_FOURS) {
#pragma unroll
    for (uint v = 0; v < TN; v += 4) {
      const uint j = j_begin + TILE_AT(tile_j, v, TN, BN);
      const float4 four = (float4)(tile_sum[u][v], tile_sum[u][v + 1], tile_sum[u][v + 2], tile_sum[u][v + 3]);
      if (j < N) STORE_VALUE4(i, j, four)
    }
    continue;
  }
#endif
#pragma unroll
  for (uint v = 0; v < TN; ++v) {
    const uint j = j_begin + TILE_AT(tile_j, v, TN, BN);
    if (j < N) STORE_VALUE(i, j, tile_sum[u][v])
  }
}
