// Kernels of the machine's corpus. Made into PTX with `nvcc -ptx -arch=sm_90`.
#include <cuda_fp16.h>

// The largest eight of a row, by insertion into arrays of the thread.
extern "C" __global__ void largest(const float *x, float *values, int *places, int width, int kept) {
  float best[8];
  int at[8];
  for (int k = 0; k < 8; ++k) best[k] = -INFINITY, at[k] = -1;
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = 0; i < width; ++i) {
    float v = x[row * width + i];
    int k = kept - 1;
    if (!(v > best[k])) continue;
    for (; k > 0 && best[k - 1] < v; --k) best[k] = best[k - 1], at[k] = at[k - 1];
    best[k] = v, at[k] = i;
  }
  for (int k = 0; k < kept; ++k) values[row * kept + k] = best[k], places[row * kept + k] = at[k];
}

struct Record {
  int counts[6];
  float weight;
  double total;
  signed char flag;
};

__device__ __noinline__ Record updated(Record r, int by) {
  r.counts[by % 6] += by;
  r.weight *= 2.0f;
  r.total += r.weight;
  r.flag ^= by;
  return r;
}

extern "C" __global__ void records(Record *rows, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) rows[i] = updated(rows[i], i);
}

__device__ int plus_one(int x) { return x + 1; }
__device__ int times_three(int x) { return x * 3; }
__device__ int turned(int x) { return x ^ 5; }
__device__ int (*table[3])(int) = {plus_one, times_three, turned};

struct Shape {
  __device__ virtual int area(int x) const = 0;
};
struct Square : Shape {
  __device__ int area(int x) const override { return x * x; }
};
struct Strip : Shape {
  __device__ int area(int x) const override { return 7 * x; }
};

extern "C" __global__ void through_pointers(const int *x, int *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  Square square;
  Strip strip;
  const Shape *shape = x[i] & 8 ? (const Shape *)&square : (const Shape *)&strip;
  out[i] = table[(unsigned)x[i] % 3](x[i]) + shape->area(x[i] & 1023);
}

extern "C" __global__ void cases(const int *x, int *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  int v = x[i], r;
  switch (v & 15) {
    case 0: r = v * 3; break;
    case 1: r = v + 9; break;
    case 2: r = v ^ 77; break;
    case 3: r = v / 7; break;
    case 4: r = v % 11; break;
    case 5: r = -v; break;
    case 6: r = v << 3; break;
    case 7: r = v >> 2; break;
    case 8: r = v * v; break;
    case 9: r = ~v; break;
    case 10: r = v | 9; break;
    case 12: r = __popc(v); break;
    default: r = __clz(v);
  }
  out[i] = r;
}

// The compiler's own division of 128 bits reads the carry of a subtraction with an addition.
extern "C" __global__ void quotients(const __int128 *x, __int128 *out, int by, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = x[i] / by;
}

extern "C" __global__ void bounds(const double *x, double *out, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  double low = __dsqrt_rd(__ddiv_rd(__dadd_rd(x[i], 0.1), 3.0));
  double high = __dsqrt_ru(__ddiv_ru(__dadd_ru(x[i], 0.1), 3.0));
  out[2 * i] = __fma_rd(low, low, -0.7);
  out[2 * i + 1] = __fma_ru(high, high, -0.7);
}
