// Block quantisation on the chip: scales and codes of bf16 values, in the orders of
// operations that libraries use. Rounded operations are spelled out, so that the
// compiler contracts nothing; conversions and rcp.approx are the chip's (FP4: NVIDIA's
// software on sm_90).
//
//   nvcc -arch=sm_90 -o blocks blocks.cu && ./blocks x.bin amax > out.bin
//
// x.bin: float32 values, 16 or 32 a block. Output, for each variant: one scale byte a
// block, then one code byte a value.
#include <cfloat>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <cuda_fp4.h>
#include <cuda_fp8.h>

__device__ float rcp(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ float e4m3_value(uint8_t code) {
    __half_raw h = __nv_cvt_fp8_to_halfraw(code, __NV_E4M3);
    return __half2float(__half(h));
}

__device__ uint8_t e4m3(float x) {
    return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
}

__device__ uint8_t e2m1(float x) {
    return __nv_cvt_float_to_fp4(x, __NV_E2M1, cudaRoundNearest);
}

__device__ uint8_t e8m0_up(float x) {
    return __nv_cvt_float_to_e8m0(x, __NV_SATFINITE, cudaRoundPosInf);
}

// 2**(127 - code), as an exponent field; code 254 gives a subnormal.
__device__ float power_reciprocal(uint8_t code) {
    return __int_as_float(code == 254 ? 0x00400000 : (254 - code) << 23);
}

enum Variant { MXFP4, MXFP8, TE, CUBLAS, FLASHINFER, VLLM };

__global__ void quantize(const float *x, int blocks, int size, float tensor_amax,
                         Variant variant, uint8_t *scales, uint8_t *codes) {
    int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= blocks) return;
    float a = 0;
    for (int i = 0; i < size; ++i) a = fmaxf(a, fabsf(x[b * size + i]));
    const float S = fminf(__fdiv_rn(2688.0f, tensor_amax), FLT_MAX);
    uint8_t scale;
    float r;
    switch (variant) {
    case MXFP4:
        scale = e8m0_up(__fmul_rn(a, __fdiv_rn(1.0f, 6.0f)));
        r = power_reciprocal(scale);
        break;
    case MXFP8:
        scale = e8m0_up(__fmul_rn(a, __fdiv_rn(1.0f, 448.0f)));
        r = power_reciprocal(scale);
        break;
    case TE:
        scale = e4m3(fminf(__fmul_rn(a, __fmul_rn(S, __fdiv_rn(1.0f, 6.0f))), FLT_MAX));
        r = __fdiv_rn(1.0f, __fmul_rn(e4m3_value(scale), __fdiv_rn(1.0f, S)));
        r = fminf(r, FLT_MAX);
        break;
    case CUBLAS:
        scale = e4m3(__fdiv_rn(a, 6.0f));
        r = __fdiv_rn(1.0f, e4m3_value(scale));
        break;
    default:
        scale = e4m3(__fmul_rn(S, __fmul_rn(a, rcp(6.0f))));
        bool zero = variant == FLASHINFER ? a == 0 : e4m3_value(scale) == 0;
        r = zero ? 0.0f : rcp(__fmul_rn(e4m3_value(scale), rcp(S)));
    }
    scales[b] = scale;
    for (int i = 0; i < size; ++i) {
        float y = __fmul_rn(x[b * size + i], r);
        codes[b * size + i] = variant == MXFP8 ? e4m3(y) : e2m1(y);
    }
}

int main(int argc, char **argv) {
    FILE *file = fopen(argv[1], "rb");
    fseek(file, 0, SEEK_END);
    int count = ftell(file) / sizeof(float);
    rewind(file);
    std::vector<float> x(count);
    if (fread(x.data(), sizeof(float), count, file) != (size_t)count) return 1;
    float tensor_amax = atof(argv[2]);
    float *dx;
    uint8_t *scales, *codes;
    cudaMalloc(&dx, count * sizeof(float));
    cudaMalloc(&scales, count);
    cudaMalloc(&codes, count);
    cudaMemcpy(dx, x.data(), count * sizeof(float), cudaMemcpyHostToDevice);
    std::vector<uint8_t> host(count);
    for (int variant = MXFP4; variant <= VLLM; ++variant) {
        int size = variant <= MXFP8 ? 32 : 16, blocks = count / size;
        quantize<<<(blocks + 127) / 128, 128>>>(dx, blocks, size, tensor_amax,
                                                (Variant)variant, scales, codes);
        if (cudaDeviceSynchronize() != cudaSuccess) return 2;
        cudaMemcpy(host.data(), scales, blocks, cudaMemcpyDeviceToHost);
        fwrite(host.data(), 1, blocks, stdout);
        cudaMemcpy(host.data(), codes, count, cudaMemcpyDeviceToHost);
        fwrite(host.data(), 1, count, stdout);
    }
}
