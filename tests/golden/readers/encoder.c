/* float32 to E4M3, nearest even and saturating, held against a golden file. Compiled
   with -DTIES_AWAY it has a mistake. */
#include "refnum_golden.h"

static unsigned encode(uint32_t bits)
{
    uint32_t magnitude = bits & 0x7fffffff, sign = bits >> 24 & 0x80;
    uint32_t fraction, kept, half;
    int exponent = (int)(magnitude >> 23) - 127, shift = 20;
    if (magnitude > 0x7f800000)
        return 0x7f;
    if (magnitude >= 0x43e80000) /* 464, the midpoint above 448 */
        return sign | 0x7e;
    if (exponent < -6) {
        if (exponent < -10)
            return sign;
        shift += -6 - exponent;
        kept = 0;
    } else {
        kept = (uint32_t)(exponent + 6) << 3;
    }
    fraction = (magnitude & 0x7fffff) | 0x800000;
    half = 1u << (shift - 1);
    kept += fraction >> shift;
#ifdef TIES_AWAY
    kept += (fraction & half) != 0;
#else
    kept += (fraction & half) && ((fraction & (half - 1)) || (kept & 1));
#endif
    return sign | kept;
}

int main(int argc, char **argv)
{
    refnum_case c = REFNUM_START;
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!file)
        return 2;
    while (refnum_next(file, &c) > 0)
        refnum_check(&c, encode((uint32_t)c.field[0]));
    fclose(file);
    return refnum_end(&c);
}
