// The body of a tiled matrix product, C (M, N) = A (M, K) B (K, N), to be included inside a kernel. A work-group makes a tile
// of BM x BN of C, a work-item TM x TN of it, through local memory that holds BK columns of A and BK rows of B.
//
// The including kernel defines, before this line, what the matrices are:
//   M, N, K_BEGIN, K_END   extents; the sum runs over K_BEGIN <= k < K_END
//   A_VALUE(i, k)          element of A, 0 outside of it; likewise B_VALUE(k, j)
//   STORE_VALUE(i, j, v)   takes a result that lies inside C
//   A_ALONG_K, B_ALONG_K   (optional) neighbours in memory are neighbours in k: then work-items walk along k when they load
// and the host bakes in BM BN BK TM TN; GROUP = BM / TM * (BN / TN) work-items in dimension 0.
// Groups: dimension 0 tiles of M, dimension 1 tiles of N. Each sum runs in the order of k. The kernel's last parameters are
// uint first_tile, uint first_product: long work is cut into several launches, which begin at another tile of M or at another of the
// products that dimension 2 counts.

__local float a_tile[BK][BM + 1], b_tile[BK][BN + 1];  // + 1: columns lie in different banks

const uint tile_lane = get_local_id(0);
const uint tile_i = tile_lane / (BN / TN), tile_j = tile_lane % (BN / TN);  // this item's corner; its rows are BM / TM apart
const uint i_begin = (first_tile + get_group_id(0)) * BM, j_begin = get_group_id(1) * BN;

float tile_sum[TM][TN];
#pragma unroll
for (uint u = 0; u < TM; ++u)
#pragma unroll
  for (uint v = 0; v < TN; ++v) tile_sum[u][v] = 0.0f;

for (uint k_begin = K_BEGIN; k_begin < K_END; k_begin += BK) {
#pragma unroll
  for (uint e = 0; e < BM * BK / GROUP; ++e) {
#ifdef A_ALONG_K
    const uint l = tile_lane % BK, i = tile_lane / BK + e * (GROUP / BK);
#else
    const uint l = (tile_lane + e * GROUP) / BM, i = (tile_lane + e * GROUP) % BM;
#endif
    a_tile[l][i] = A_VALUE(i_begin + i, k_begin + l);
  }
#pragma unroll
  for (uint e = 0; e < BN * BK / GROUP; ++e) {
#ifdef B_ALONG_K
    const uint l = tile_lane % BK, j = tile_lane / BK + e * (GROUP / BK);
#else
    const uint l = (tile_lane + e * GROUP) / BN, j = (tile_lane + e * GROUP) % BN;
#endif
    b_tile[l][j] = B_VALUE(k_begin + l, j_begin + j);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint l = 0; l < BK; ++l) {
    float a_items[TM], b_items[TN];
#pragma unroll
    for (uint u = 0; u < TM; ++u) a_items[u] = a_tile[l][tile_i + u * (BM / TM)];
#pragma unroll
    for (uint v = 0; v < TN; ++v) b_items[v] = b_tile[l][tile_j + v * (BN / TN)];
#pragma unroll
    for (uint u = 0; u < TM; ++u)
#pragma unroll
      for (uint v = 0; v < TN; ++v) tile_sum[u][v] = fma(a_items[u], b_items[v], tile_sum[u][v]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

#pragma unroll
for (uint u = 0; u < TM; ++u)
#pragma unroll
  for (uint v = 0; v < TN; ++v) {
    const uint i = i_begin + tile_i + u * (BM / TM), j = j_begin + tile_j + v * (BN / TN);
    if (i < M && j < N) STORE_VALUE(i, j, tile_sum[u][v])
  }
