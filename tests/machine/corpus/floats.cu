// Kernels of the machine's corpus. Made into PTX with `nvcc -ptx -arch=sm_90`.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

extern "C" __global__ void halves(const __half2 *a, const __half2 *b, __half2 *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = __hfma2(a[i], b[i], __hmul2(__hmax2(a[i], b[i]), __hadd2(a[i], b[i])));
}

extern "C" __global__ void quantize(const float *x, const float *scale, unsigned char *out, int width) {
  const float *row = x + blockIdx.x * width;
  float by = __frcp_rn(scale[blockIdx.x]);
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    out[blockIdx.x * width + i] =
        __nv_cvt_float_to_fp8(__fmul_rn(row[i], by), __NV_SATFINITE, __NV_E4M3);
}

extern "C" __global__ void polynomial(const double *x, double *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = fma(fma(fma(x[i], 0.1, -0.3), x[i], 0.7), x[i], 1.0 / x[i]);
}

extern "C" __global__ void softmax(const float *x, float *out, int width) {
  __shared__ float kept[32];
  const float *row = x + blockIdx.x * width;
  float top = -INFINITY;
  for (int i = threadIdx.x; i < width; i += 32) top = fmaxf(top, row[i]);
  for (int step = 16; step; step >>= 1) top = fmaxf(top, __shfl_xor_sync(~0u, top, step));
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += 32) sum += __expf(row[i] - top);
  kept[threadIdx.x] = sum;
  __syncwarp();
  sum = 0.0f;
  for (int i = 0; i < 32; ++i) sum += kept[i];
  for (int i = threadIdx.x; i < width; i += 32) out[blockIdx.x * width + i] = __expf(row[i] - top) / sum;
}

extern "C" __global__ void trigonometry(const float *x, float *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = sinf(x[i]) + expf(x[i]) * erff(x[i]) + powf(fabsf(x[i]), 1.7f);
}
