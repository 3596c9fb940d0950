/* Reads refnum's golden files in C99 or later, and in C++.

   refnum_case c = REFNUM_START;
   while (refnum_next(file, &c) > 0)
       refnum_check(&c, my_encoder((uint32_t)c.field[0]));
   return refnum_end(&c);   // 0: all cases there and equal

A case's fields stand in the order of the header's columns; the last is the output. */
#ifndef REFNUM_GOLDEN_H
#define REFNUM_GOLDEN_H
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFNUM_FIELDS = 16 };
#define REFNUM_START {{0}, 0, 0, 0, 0, {0}}
typedef struct {
    uint64_t field[REFNUM_FIELDS];
    int fields;
    unsigned long count, seen, wrong; /* cases: promised, read, different */
    char line[512];                   /* as it stands, with the reason */
} refnum_case;

/* Read the next case: 1 if there is one, 0 at the end, -1 at a line that is none. */
static inline int refnum_next(FILE *file, refnum_case *c)
{
    while (fgets(c->line, sizeof c->line, file)) {
        char *at = c->line, *end, *count;
        c->line[strcspn(c->line, "\r\n")] = 0;
        if ((count = strstr(at, " count=")) && !strncmp(at, "// refnum golden 1 ", 19))
            c->count = strtoul(count + 7, NULL, 10);
        if (!*at || !strncmp(at, "//", 2))
            continue;
        for (c->fields = 0; c->fields < REFNUM_FIELDS; at = end + 1) {
            c->field[c->fields++] = strtoull(at, &end, 16);
            if (end == at)
                return -1;
            if (*end != '_')
                return *end && *end != ' ' ? -1 : (++c->seen, 1);
        }
        return -1;
    }
    return 0;
}

/* Compare an output with the case's last field, and print what differs. */
static inline void refnum_check(refnum_case *c, uint64_t output)
{
    if (output != c->field[c->fields - 1] && ++c->wrong <= 5)
        fprintf(stderr, "case %lu: got %" PRIx64 ": %s\n", c->seen, output, c->line);
}

/* Print the outcome and return an exit status: 0 equal, 1 different, 2 incomplete. */
static inline int refnum_end(const refnum_case *c)
{
    printf("%lu mismatches in %lu of %lu cases\n", c->wrong, c->seen, c->count);
    return !c->count || c->seen != c->count ? 2 : c->wrong != 0;
}
#endif
