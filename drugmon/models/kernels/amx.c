/* What scoring in bfloat16 does between its large products, on a CPU with AMX: attention, GELU, and
 * adding and normalising. Each keeps at hand, in the core's registers and cache, what torch's operations
 * write to memory and read again. Sums are in float32. amx.py is what calls it; OpenMP's runtime is the one
 * that torch has loaded.
 *
 * Attention, softmax(q k' + bias) v, is computed for 16 queries of one head at a time. An AMX tile holds 16 rows of
 * 64 bytes. TDPBF16PS multiplies A (16 x 32 bfloat16, by row) by B, whose row r holds the numbers 2r and
 * 2r + 1 of 16 columns side by side, and adds to C (16 x 16 float32). So B of q k' is a transposed square of
 * pairs, and B of the weights times v are two rows interleaved.
 */

#include <immintrin.h>
#include <omp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AMX __attribute__((target("avx512f,avx512bw,avx512bf16,amx-tile,amx-bf16")))

enum { ROWS = 16, PAIRS = 16, WIDTH = 2 * PAIRS, TILE = ROWS * WIDTH }; /* of a tile of bfloat16 */

typedef uint16_t bf16;

AMX static inline __m512 load(const bf16 *from)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

AMX static inline void store(bf16 *to, __m512 numbers)
{
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(numbers));
}

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_of_row[16];
    uint8_t rows[16];
} Tiles; /* what LDTILECFG reads */

/* What one thread works in. `keys` is a review's length, rounded up to WIDTH. */
typedef struct {
    bf16 *keys;     /* tiles B of the keys: keys / 16 x size / 32 */
    bf16 *values;   /* tiles B of the values: keys / 32 x size / 16 */
    float *scores;  /* 16 x keys */
    bf16 *weights;  /* 16 x keys */
    bf16 *queries;  /* 16 x size: the last ones of a review, which are fewer */
    float *found;   /* 16 x size */
} Space;

/* One head of one review. The numbers of a token are `stride` behind those of the one before. */
typedef struct {
    const bf16 *query, *key, *value;
    const float *bias; /* of the distance 0, with those of other distances around it; or none */
    int64_t length, size, stride;
} Head;

AMX static void configure_tiles(void)
{
    Tiles tiles = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        tiles.rows[tile] = ROWS;
        tiles.bytes_of_row[tile] = 2 * WIDTH;
    }
    _tile_loadconfig(&tiles);
}

/* 2^x to 4e-5 of it, a hundredth of bfloat16's steps. */
AMX static inline __m512 exp2_of(__m512 x)
{
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_sub_ps(x, whole);
    __m512 found = _mm512_set1_ps(0.0096181291f); /* ln(2)^n / n! */
    found = _mm512_fmadd_ps(found, rest, _mm512_set1_ps(0.0555041087f));
    found = _mm512_fmadd_ps(found, rest, _mm512_set1_ps(0.2402265070f));
    found = _mm512_fmadd_ps(found, rest, _mm512_set1_ps(0.6931471806f));
    found = _mm512_fmadd_ps(found, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(found, whole);
}

AMX static void lay_out_keys(const Head *head, int64_t keys, bf16 *to)
{
    const __m512i numbers = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i steps = _mm512_mullo_epi32(numbers, _mm512_set1_epi32((int)(head->stride / 2)));
    for (int64_t key = 0; key < keys; key += ROWS) {
        int64_t left = head->length - key;
        __mmask16 there = left >= ROWS ? 0xffff : left > 0 ? (1u << left) - 1 : 0;
        for (int64_t pair = 0; pair < head->size / 2; pair++, to += WIDTH) {
            const bf16 *from = head->key + key * head->stride + 2 * pair;
            _mm512_store_si512(
                to, _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), there, steps, from, 4));
        }
    }
}

AMX static void lay_out_values(const Head *head, int64_t keys, bf16 *to)
{
    bf16 order[2 * WIDTH]; /* of the first 16 numbers of two rows, and of the other 16 */
    for (int n = 0; n < WIDTH; n++) {
        order[2 * n] = (bf16)n;
        order[2 * n + 1] = (bf16)(WIDTH + n);
    }
    const __m512i first = _mm512_loadu_si512(order), other = _mm512_loadu_si512(order + WIDTH);
    const __m512i none = _mm512_setzero_si512();
    for (int64_t key = 0; key < keys; key += WIDTH, to += WIDTH * head->size)
        for (int64_t n = 0; n < head->size; n += WIDTH)
            for (int64_t pair = 0; pair < PAIRS; pair++) {
                int64_t token = key + 2 * pair;
                const bf16 *from = head->value + token * head->stride + n;
                __m512i a = token < head->length ? _mm512_loadu_si512(from) : none;
                __m512i b = token + 1 < head->length ? _mm512_loadu_si512(from + head->stride) : none;
                bf16 *tile = to + n / PAIRS * TILE + pair * WIDTH;
                _mm512_store_si512(tile, _mm512_permutex2var_epi16(a, first, b));
                _mm512_store_si512(tile + TILE, _mm512_permutex2var_epi16(a, other, b));
            }
}

AMX static void multiply_by_keys(
    const bf16 *queries, int64_t stride, int64_t keys, int64_t size, const Space *space)
{
    const bf16 *tile = space->keys;
    for (int64_t key = 0; key < keys; key += 2 * ROWS, tile += 2 * ROWS * size) {
        _tile_zero(0);
        _tile_zero(1);
        for (int64_t n = 0; n < size; n += WIDTH) {
            _tile_loadd(2, queries + n, 2 * stride);
            _tile_loadd(3, tile + n * ROWS, 2 * WIDTH);
            _tile_loadd(4, tile + (n + size) * ROWS, 2 * WIDTH);
            _tile_dpbf16ps(0, 2, 3);
            _tile_dpbf16ps(1, 2, 4);
        }
        _tile_stored(0, space->scores + key, 4 * keys);
        _tile_stored(1, space->scores + key + ROWS, 4 * keys);
    }
}

/* Scores of a row, with a bias of each key unless there is none, to exponentials, less the largest;
 * returns 1 over their sum. */
AMX static float weigh(
    float *scores, const float *bias, bf16 *weights, int64_t length, int64_t keys)
{
    const __m512 log2_e = _mm512_set1_ps(1.4426950409f);
    int64_t end = (length + ROWS - 1) / ROWS * ROWS;
    __mmask16 last = (1u << (length - (end - ROWS))) - 1;
    float *tail = scores + end - ROWS;
    const __m512 never = _mm512_set1_ps(-__builtin_inff());
    _mm512_store_ps(tail, _mm512_mask_load_ps(never, last, tail));
    if (bias)
        for (int64_t key = 0; key < end; key += ROWS)
            _mm512_store_ps(
                scores + key,
                _mm512_add_ps(_mm512_load_ps(scores + key), _mm512_loadu_ps(bias + key)));
    __m512 largest = never;
    for (int64_t key = 0; key < end; key += ROWS)
        largest = _mm512_max_ps(largest, _mm512_load_ps(scores + key));
    __m512 shift = _mm512_mul_ps(_mm512_set1_ps(_mm512_reduce_max_ps(largest)), log2_e);
    __m512 sum = _mm512_setzero_ps();
    for (int64_t key = 0; key < end; key += ROWS) {
        __m512 weight = exp2_of(_mm512_fmsub_ps(_mm512_load_ps(scores + key), log2_e, shift));
        sum = _mm512_add_ps(sum, weight);
        store(weights + key, weight);
    }
    if (end < keys)
        _mm256_store_si256((__m256i *)(weights + end), _mm256_setzero_si256());
    return 1.0f / _mm512_reduce_add_ps(sum);
}

AMX static void multiply_by_values(int64_t keys, int64_t size, const Space *space)
{
    for (int64_t n = 0; n < size; n += WIDTH) {
        const bf16 *tile = space->values + n / PAIRS * TILE;
        _tile_zero(0);
        _tile_zero(1);
        for (int64_t key = 0; key < keys; key += WIDTH, tile += WIDTH * size) {
            _tile_loadd(2, space->weights + key, 2 * keys);
            _tile_loadd(3, tile, 2 * WIDTH);
            _tile_loadd(4, tile + TILE, 2 * WIDTH);
            _tile_dpbf16ps(0, 2, 3);
            _tile_dpbf16ps(1, 2, 4);
        }
        _tile_stored(0, space->found + n, 4 * size);
        _tile_stored(1, space->found + n + PAIRS, 4 * size);
    }
}

/* Behind a head's numbers are the next head's: have them at hand when it comes to them. */
AMX static void prefetch(const Head *head, int64_t token)
{
    _mm_prefetch((const char *)(head->query + token * head->stride + head->size), _MM_HINT_T0);
    _mm_prefetch((const char *)(head->key + token * head->stride + head->size), _MM_HINT_T0);
    _mm_prefetch((const char *)(head->value + token * head->stride + head->size), _MM_HINT_T0);
}

AMX static void attend_head(const Head *head, bf16 *out, int64_t out_stride, const Space *space)
{
    int64_t size = head->size, keys = (head->length + WIDTH - 1) / WIDTH * WIDTH;
    lay_out_keys(head, keys, space->keys);
    lay_out_values(head, keys, space->values);
    for (int64_t start = 0; start < head->length; start += ROWS) {
        int64_t rows = head->length - start < ROWS ? head->length - start : ROWS;
        const bf16 *queries = head->query + start * head->stride;
        int64_t stride = head->stride;
        for (int64_t row = 0; row < rows; row++)
            prefetch(head, start + row);
        if (rows < ROWS) { /* a tile would read beyond them, and perhaps beyond the batch */
            for (int64_t row = 0; row < rows; row++)
                memcpy(space->queries + row * size, queries + row * stride, 2 * size);
            queries = space->queries;
            stride = size;
        }
        multiply_by_keys(queries, stride, keys, size, space);
        float over_sum[ROWS];
        for (int64_t row = 0; row < rows; row++)
            over_sum[row] = weigh(
                space->scores + row * keys, head->bias ? head->bias - (start + row) : NULL,
                space->weights + row * keys, head->length, keys);
        multiply_by_values(keys, size, space);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t n = 0; n < size; n += ROWS) {
                __m512 found = _mm512_load_ps(space->found + row * size + n);
                found = _mm512_mul_ps(found, _mm512_set1_ps(over_sum[row]));
                store(out + (start + row) * out_stride + n, found);
            }
    }
}

static int64_t bytes_of(int64_t count, int64_t each)
{
    return (count * each + 63) / 64 * 64; /* whole lines of the cache */
}

/* Where each part of the memory of one thread begins; returns the bytes of all. */
static int64_t lay_out_space(char *memory, int64_t longest, int64_t size, Space *space)
{
    int64_t keys = (longest + WIDTH - 1) / WIDTH * WIDTH;
    char *next = memory;
    space->keys = (bf16 *)next, next += bytes_of(keys * size, 2);
    space->values = (bf16 *)next, next += bytes_of(keys * size, 2);
    space->scores = (float *)next, next += bytes_of(ROWS * keys, 4);
    space->weights = (bf16 *)next, next += bytes_of(ROWS * keys, 2);
    space->queries = (bf16 *)next, next += bytes_of(ROWS * size, 2);
    space->found = (float *)next, next += bytes_of(ROWS * size, 4);
    return next - memory;
}

/* Bytes that each thread needs for reviews of `longest` tokens and heads of `size` numbers. */
int64_t space_of_thread(int64_t longest, int64_t size)
{
    Space space;
    return lay_out_space(NULL, longest, size, &space);
}

/* Attend within each review of a batch, all heads.
 *
 * qkv: query, key and value of all heads, (tokens, 3 * heads * size), scaled so that scores need no
 *      scale. Reviews stand one behind the other, and what is behind the last one belongs to none.
 * starts: the first token of each review, and the one behind the last, (b + 1,).
 * longest: tokens of the longest review, or more.
 * size: of a head, a multiple of 32.
 * bias: added to the scores, of the distances (key less query) from 1 - longest on, (heads, distances);
 *       NULL for none. There are 2 * longest + 15 distances or more, of which the last are never used.
 * threads, memory: space_of_thread(longest, size) bytes for each of so many threads, at a multiple of 64.
 * out: (tokens, heads * size), 0 at tokens of no review.
 */
AMX void attend_biased(const bf16 *qkv, int64_t tokens, const int64_t *starts, int64_t b,
                       int64_t longest, int64_t heads, int64_t size, const float *bias,
                       int64_t distances, int64_t threads, char *memory, bf16 *out)
{
    int64_t hidden = heads * size, bytes = space_of_thread(longest, size), end = starts[b];
    memset(out + end * hidden, 0, (size_t)(2 * (tokens - end) * hidden));
#pragma omp parallel num_threads(threads)
    {
        Space space;
        lay_out_space(memory + omp_get_thread_num() * bytes, longest, size, &space);
        configure_tiles();
#pragma omp for collapse(2) schedule(dynamic, 4)
        for (int64_t review = 0; review < b; review++)
            for (int64_t number = 0; number < heads; number++) {
                const bf16 *from = qkv + starts[review] * 3 * hidden + number * size;
                Head head = {
                    .query = from,
                    .key = from + hidden,
                    .value = from + 2 * hidden,
                    .bias = bias ? bias + number * distances + longest - 1 : NULL,
                    .length = starts[review + 1] - starts[review],
                    .size = size,
                    .stride = 3 * hidden,
                };
                attend_head(&head, out + starts[review] * hidden + number * size, hidden, &space);
            }
        _tile_release();
    }
}

/* Layer norm of a sum: (x + other - mean) / sqrt(variance + eps) * weight + bias, by row.
 *
 * x, other, out: (rows, size), of which out may be one of the others.
 * weight, bias: (size,) float32.
 * size: a multiple of 16, at most 4096.
 */
AMX void add_norm(const bf16 *x, const bf16 *other, int64_t rows, int64_t size, const float *weight,
                  const float *bias, float eps, int64_t threads, bf16 *out)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        float numbers[4096] __attribute__((aligned(64)));
        const bf16 *a = x + row * size, *b = other + row * size;
        __m512 sum = _mm512_setzero_ps();
        for (int64_t n = 0; n < size; n += 16) {
            __m512 number = _mm512_add_ps(load(a + n), load(b + n));
            _mm512_store_ps(numbers + n, number);
            sum = _mm512_add_ps(sum, number);
        }
        __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)size);
        sum = _mm512_setzero_ps();
        for (int64_t n = 0; n < size; n += 16) {
            __m512 number = _mm512_sub_ps(_mm512_load_ps(numbers + n), mean);
            _mm512_store_ps(numbers + n, number);
            sum = _mm512_fmadd_ps(number, number, sum);
        }
        float variance = _mm512_reduce_add_ps(sum) / (float)size;
        __m512 scale = _mm512_set1_ps(1.0f / __builtin_sqrtf(variance + eps));
        for (int64_t n = 0; n < size; n += 16) {
            __m512 factor = _mm512_mul_ps(scale, _mm512_loadu_ps(weight + n));
            __m512 number = _mm512_load_ps(numbers + n);
            store(out + row * size + n, _mm512_fmadd_ps(number, factor, _mm512_loadu_ps(bias + n)));
        }
    }
}

/* GELU, x P(X <= x) for a normal X, to 1e-4, a tenth of bfloat16's steps where it is not small.
 *
 * Less a half, P is odd: x times a polynomial of its square, fitted to the least largest error of GELU between
 * -4.25 and 4.25, and to be 0 and 1 there and beyond.
 */
AMX static inline __m512 gelu_of(__m512 x)
{
    const __m512 end = _mm512_set1_ps(4.25f);
    /* In this order of operands, a number that is none stays one. */
    __m512 above = _mm512_max_ps(_mm512_set1_ps(-4.25f), x);
    __m512 near = _mm512_min_ps(end, above);
    __m512 square = _mm512_mul_ps(near, near);
    __m512 found = _mm512_set1_ps(-8.459628e-10f);
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(7.57026939e-08f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(-2.93863809e-06f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(6.55246113e-05f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(-9.40427009e-04f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(9.25773196e-03f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(-6.54533058e-02f));
    found = _mm512_fmadd_ps(found, square, _mm512_set1_ps(3.98419917e-01f));
    return _mm512_mul_ps(above, _mm512_fmadd_ps(found, near, _mm512_set1_ps(0.5f)));
}

/* GELU of so many numbers, a multiple of 16, in place. */
AMX void gelu(bf16 *x, int64_t count, int64_t threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < count; n += 16)
        store(x + n, gelu_of(load(x + n)));
}
