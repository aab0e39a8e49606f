// Kernels of the machine's corpus. Made into PTX with `nvcc -ptx -arch=sm_80`.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void rmsnorm(const __nv_bfloat16 *x, const __nv_bfloat16 *weight,
                                   __nv_bfloat16 *out, int width, float eps) {
  __shared__ float parts[32];
  const __nv_bfloat16 *row = x + (size_t)blockIdx.x * width;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = __bfloat162float(row[i]);
    sum = __fmaf_rn(v, v, sum);
  }
  for (int step = 16; step; step >>= 1) sum = __fadd_rn(sum, __shfl_xor_sync(0xffffffffu, sum, step));
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0.0f;
    for (int w = 0; w < blockDim.x / 32; ++w) total = __fadd_rn(total, parts[w]);
    parts[0] = __frcp_rn(__fsqrt_rn(__fadd_rn(__fdiv_rn(total, (float)width), eps)));
  }
  __syncthreads();
  float scale = parts[0];
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    out[(size_t)blockIdx.x * width + i] = __float2bfloat16_rn(
        __fmul_rn(__fmul_rn(__bfloat162float(row[i]), scale), __bfloat162float(weight[i])));
}
