// Holds a GPU's conversion of float32 to FP8 against a golden file:
//
//   nvcc -arch=sm_90 -o verify_cast verify_cast.cu
//   ./verify_cast e4m3.nearest_even.finite.hex
//
// Put your own kernel in the place of `encode`.
#include <cuda_fp8.h>

#include <vector>

#include "refnum_golden.h"

__global__ void encode(const float *x, unsigned char *code, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        code[i] = __nv_cvt_float_to_fp8(x[i], __NV_SATFINITE, __NV_E4M3);
}

static std::vector<unsigned char> run(const std::vector<uint32_t> &bits)
{
    int count = (int)bits.size();
    std::vector<unsigned char> codes(count);
    void *x = nullptr, *code = nullptr;
    cudaMalloc(&x, 4 * count);
    cudaMalloc(&code, count);
    cudaMemcpy(x, bits.data(), 4 * count, cudaMemcpyHostToDevice);
    encode<<<(count + 255) / 256, 256>>>((const float *)x, (unsigned char *)code, count);
    cudaMemcpy(codes.data(), code, count, cudaMemcpyDeviceToHost);
    cudaFree(x);
    cudaFree(code);
    return codes;
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "r") : nullptr;
    if (!file)
        return fprintf(stderr, "usage: %s GOLDEN.hex\n", argv[0]), 2;
    std::vector<uint32_t> inputs;
    refnum_case c = REFNUM_START;
    while (refnum_next(file, &c) > 0)
        inputs.push_back((uint32_t)c.field[0]);

    std::vector<unsigned char> codes = run(inputs);
    if (cudaGetLastError() != cudaSuccess)
        return fprintf(stderr, "the GPU failed\n"), 2;

    rewind(file);
    c = {};
    for (size_t i = 0; refnum_next(file, &c) > 0 && i < codes.size(); i++)
        refnum_check(&c, codes[i]);
    fclose(file);
    return refnum_end(&c);
}
