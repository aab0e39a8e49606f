// Kernels of the machine's corpus. Made into PTX with `nvcc -ptx -arch=sm_80`.
extern "C" __global__ void histogram(const unsigned char *data, unsigned *bins, int count) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    atomicAdd(&local[data[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    if (local[i]) atomicAdd(&bins[i], local[i]);
}

extern "C" __global__ void sort_rows(int *rows) {
  // Bitonic, one row of 64 for each block of 64 threads.
  __shared__ int row[64];
  int at = threadIdx.x;
  row[at] = rows[blockIdx.x * 64 + at];
  __syncthreads();
  for (int size = 2; size <= 64; size *= 2)
    for (int step = size / 2; step; step /= 2) {
      int other = at ^ step;
      if (other > at) {
        bool up = (at & size) == 0;
        if ((row[at] > row[other]) == up) {
          int kept = row[at];
          row[at] = row[other];
          row[other] = kept;
        }
      }
      __syncthreads();
    }
  rows[blockIdx.x * 64 + at] = row[at];
}

__device__ __noinline__ unsigned long long power(unsigned long long base, unsigned exponent,
                                                  unsigned long long modulus) {
  unsigned long long result = 1;
  base %= modulus;
  while (exponent) {
    if (exponent & 1) result = result * base % modulus;
    base = base * base % modulus;
    exponent >>= 1;
  }
  return result;
}

extern "C" __global__ void powers(const unsigned *base, const unsigned *exponent, unsigned long long *out,
                                  int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  out[i] = power(base[i], exponent[i], 1000003ull);
}

extern "C" __global__ void collatz(const int *start, int *steps, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  long long n = start[i];
  int taken = 0;
  while (n != 1) {
    switch (n % 4) {
      case 0: n /= 4; taken += 2; break;
      case 2: n /= 2; ++taken; break;
      default: n = 3 * n + 1; ++taken;
    }
  }
  steps[i] = taken;
}
