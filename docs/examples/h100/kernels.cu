// Five kernels for an H100, each with one planted mistake: `wrong` turns it on.
//
//   nvcc -arch=sm_90 --shared -Xcompiler -fPIC -o kernels.so kernels.cu
//
// FP4 is software here: an H100 has no FP4 conversions. Rounded operations are spelled
// out (__fmul_rn), so that the compiler contracts nothing.
#include <cfloat>
#include <cstdint>
#include <cuda_fp8.h>

namespace {

constexpr int kThreads = 128;

__device__ float abs_max(const float *x, int count) {
    float a = 0;
    for (int i = 0; i < count; ++i) a = fmaxf(a, fabsf(x[i]));
    return a;
}

// To nearest even; `away` rounds ties away from zero.
__device__ uint8_t e2m1(float y, bool away = false) {
    float m = fabsf(y);
    int code = (m > 0.25f) + (m >= 0.75f) + (m > 1.25f) + (m >= 1.75f) + (m > 2.5f) +
               (m >= 3.5f) + (m > 5.0f);
    if (away) code += (m == 0.25f) + (m == 1.25f) + (m == 2.5f) + (m == 5.0f);
    return code | (signbit(y) ? 8 : 0);
}

__device__ uint8_t e4m3(float y) {
    return __nv_cvt_float_to_fp8(y, __NV_SATFINITE, __NV_E4M3);
}

__device__ float e4m3_value(uint8_t code) {
    __half_raw h = __nv_cvt_fp8_to_halfraw(code, __NV_E4M3);
    return __half2float(__half(h));
}

// float32 to E4M3. The mistake: by way of float16, which rounds twice.
__global__ void cast(const float *x, uint8_t *codes, int count, bool wrong) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    if (wrong) {
        __half_raw h = __float2half_rn(x[i]);
        codes[i] = __nv_cvt_halfraw_to_fp8(h, __NV_SATFINITE, __NV_E4M3);
    } else {
        codes[i] = e4m3(x[i]);
    }
}

// Philox4x32. The mistake: 7 rounds instead of 10.
__global__ void philox(const uint4 *counters, const uint2 *keys, uint4 *words, int count,
                       bool wrong) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    uint4 c = counters[i];
    uint2 k = keys[i];
    for (int round = 0; round < (wrong ? 7 : 10); ++round) {
        uint32_t high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        uint32_t high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = {high1 ^ c.y ^ k.x, low1, high0 ^ c.w ^ k.y, low0};
        k = {k.x + 0x9E3779B9u, k.y + 0xBB67AE85u};
    }
    words[i] = c;
}

// Stochastic rounding to E2M1 with 8 random bits, as Transformer Engine's software does
// it: add the random part of a step, then drop what is below a step. The mistake: it
// takes four bits, the low ones, where the word has eight.
__global__ void stochastic(const float *x, const uint8_t *random, uint8_t *codes,
                           int count, bool wrong) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float m = fabsf(x[i]), r = wrong ? (random[i] & 15) / 16.0f : random[i] / 256.0f;
    float step = m < 2 ? 0.5f : m < 4 ? 1.0f : 2.0f;
    float t = fmaf(r, step, m);
    step = t < 2 ? 0.5f : t < 4 ? 1.0f : 2.0f;
    float value = fminf(floorf(t / step) * step, 6.0f);
    codes[i] = isnan(x[i]) ? 7 : e2m1(copysignf(value, x[i]));
}

// MXFP4 by the floor rule, 32 values a block. The mistake: ties away from zero.
__global__ void mxfp4(const float *x, uint8_t *scales, uint8_t *codes, int blocks,
                      bool wrong) {
    int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= blocks) return;
    int exponent = __float_as_int(abs_max(x + 32 * b, 32)) >> 23;
    int scale = max(exponent - 2, 0);
    scales[b] = scale;
    for (int i = 32 * b; i < 32 * b + 32; ++i)
        codes[i] = e2m1(ldexpf(x[i], 127 - scale), wrong);
}

// NVFP4 in Transformer Engine's order, 16 values a block, two codes a byte. The mistake:
// the first code in the high nibble.
__global__ void nvfp4(const float *x, float tensor_amax, uint8_t *scales, uint8_t *packed,
                      int blocks, bool wrong) {
    int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= blocks) return;
    float S = fminf(__fdiv_rn(2688.0f, tensor_amax), FLT_MAX);
    float a = abs_max(x + 16 * b, 16);
    uint8_t scale = e4m3(__fmul_rn(a, __fmul_rn(S, __fdiv_rn(1.0f, 6.0f))));
    float r = __fdiv_rn(1.0f, __fmul_rn(e4m3_value(scale), __fdiv_rn(1.0f, S)));
    r = fminf(r, FLT_MAX);
    scales[b] = scale;
    for (int i = 16 * b; i < 16 * b + 16; i += 2) {
        uint8_t first = e2m1(__fmul_rn(x[i], r)), second = e2m1(__fmul_rn(x[i + 1], r));
        packed[i / 2] = wrong ? first << 4 | second : second << 4 | first;
    }
}

int grid(int count) { return (count + kThreads - 1) / kThreads; }

}  // namespace

// Each takes pointers to the GPU's memory, and returns CUDA's error, 0 for none.
extern "C" {

int run_cast(const float *x, uint8_t *codes, int count, int wrong) {
    cast<<<grid(count), kThreads>>>(x, codes, count, wrong);
    return cudaDeviceSynchronize();
}

int run_philox(const uint4 *c, const uint2 *k, uint4 *words, int count, int wrong) {
    philox<<<grid(count), kThreads>>>(c, k, words, count, wrong);
    return cudaDeviceSynchronize();
}

int run_stochastic(const float *x, const uint8_t *random, uint8_t *codes, int count,
                   int wrong) {
    stochastic<<<grid(count), kThreads>>>(x, random, codes, count, wrong);
    return cudaDeviceSynchronize();
}

int run_mxfp4(const float *x, uint8_t *scales, uint8_t *codes, int blocks, int wrong) {
    mxfp4<<<grid(blocks), kThreads>>>(x, scales, codes, blocks, wrong);
    return cudaDeviceSynchronize();
}

int run_nvfp4(const float *x, float amax, uint8_t *scales, uint8_t *packed, int blocks,
              int wrong) {
    nvfp4<<<grid(blocks), kThreads>>>(x, amax, scales, packed, blocks, wrong);
    return cudaDeviceSynchronize();
}
}
