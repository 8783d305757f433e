/*
 * The work on pages of LTX as a native program does it: blocks by the system's liblz4; CRC-64/GO-ISO by the sparse method of our kernel in
 * registers of 16 bytes, or by sixteen tables where the processor has none. As ours, it copies what it works on into its memory and the result
 * out of it. It makes no checksums of pages, only that of the file. Compiled by ../src/native.ts when the benchmark runs.
 *
 *     page-work <pages> <frames> <own frames>
 *
 * Reads whole batches of 256 pages, and frames that were made of them; writes its own frames of the pages, prints the version of
 * liblz4 and the checksum of what it wrote. Then does one thing for each line of standard input, and prints nanoseconds of processor
 * time and the checksum that came out. Checksums alone go over the first batch again and again, which stays in the
 * cache.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

enum { PAGE = 4096, BATCH = 256, HEADER = 10, BOUND = PAGE + PAGE / 255 + 16, NO_LIBRARY = 3 };

static int (*compress)(const char *, char *, int, int);
static int (*decompress)(const char *, char *, int, int);
static uint64_t table[16][256];

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void make_tables(void) {
  for (int i = 0; i < 256; i++) {
    uint64_t v = i;
    for (int bit = 0; bit < 8; bit++) v = v & 1 ? v >> 1 ^ 0xd800000000000000u : v >> 1;
    table[0][i] = v;
  }
  for (int i = 0; i < 256; i++)
    for (int k = 1; k < 16; k++) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

static uint64_t crc64_by_tables(uint64_t crc, const uint8_t *p, size_t size) {
  uint64_t s = ~crc;
  for (; size >= 16; p += 16, size -= 16) {
    uint64_t a, b;
    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);
    a ^= s;
    s = 0;
    for (int k = 0; k < 8; k++) s ^= table[15 - k][a >> 8 * k & 255] ^ table[7 - k][b >> 8 * k & 255];
  }
  for (; size > 0; p++, size--) s = s >> 8 ^ table[0][(s ^ *p) & 255];
  return ~s;
}

#ifdef __SSSE3__
typedef __m128i block;
static block load(const uint8_t *p) { return _mm_loadu_si128((const block *)p); }
static block both(block a, block b) { return _mm_xor_si128(a, b); }
/* Sixteen bytes of a and b, from byte 2 or 6 of a on. */
static block by2(block a, block b) { return _mm_alignr_epi8(b, a, 2); }
static block by6(block a, block b) { return _mm_alignr_epi8(b, a, 6); }

/* What the first block of a round passes on into the last one. */
static block edge(block n0, block n1) {
  block first = by2(_mm_setzero_si128(), n0);
  return both(first, by6(first, both(n0, by2(n0, n1))));
}

static uint64_t fold(uint64_t v) {
  uint64_t u = v ^ v << 63 ^ v << 61 ^ v << 60;
  u ^= u >> 3;
  return u ^ u >> 1;
}

/* The sums of 128 bytes go into the next 128, shifted as the sparse polynomial says: see kernel/crc64.ts of @sqlstream/ltx. */
static uint64_t crc64(uint64_t crc, const uint8_t *p, size_t size) {
  if (size < 256) return crc64_by_tables(crc, p, size);
  const uint8_t *end = p + size;
  block n[8];
  for (int i = 0; i < 8; i++) n[i] = load(p + 16 * i);
  n[0] = both(n[0], _mm_set_epi64x(0, ~crc));
  n[7] = both(n[7], edge(n[0], n[1]));
  for (p += 128; p <= end - 128; p += 128) {
    block g = both(n[0], by2(n[0], n[1]));
    for (int i = 0; i < 8; i++) {
      block h = both(n[(i + 1) % 8], by2(n[(i + 1) % 8], n[(i + 2) % 8]));
      n[i] = both(load(p + 16 * i), both(g, by6(g, h)));
      g = h;
    }
  }
  n[7] = both(n[7], edge(n[0], n[1]));
  uint64_t words[16], s = 0;
  memcpy(words, n, sizeof words);
  for (int i = 0; i < 16; i++) s = fold(s ^ words[i]);
  return crc64_by_tables(~s, p, end - p);
}
static const char *const CRC = "sparse CRC-64";
#else
#define crc64 crc64_by_tables
static const char *const CRC = "CRC-64 by tables";
#endif

static uint32_t big_endian(uint32_t v) { return __builtin_bswap32(v); }

static uint8_t input[BATCH * (HEADER + BOUND)], result[BATCH * (HEADER + BOUND)];

/*
 * Encodes batch after batch into the same memory, and writes each to `file` unless that is null. With `crc` null nothing is hashed and
 * nothing copied.
 */
static void encode(const uint8_t *pages, size_t count, uint8_t *frames, uint64_t *crc, FILE *file) {
  uint8_t *at = frames;
  for (size_t i = 0; i < count; i++) {
    if (crc && i % BATCH == 0) memcpy(input, pages + i * PAGE, BATCH * PAGE);
    const uint8_t *page = crc ? input + i % BATCH * PAGE : pages + i * PAGE;
    int size = compress((const char *)page, (char *)at + HEADER, PAGE, BOUND);
    if (size <= 0) fail("a page cannot be compressed");
    uint32_t pgno = big_endian(i + 1), length = big_endian(size);
    memcpy(at, &pgno, 4);
    at[4] = 0;
    at[5] = 1;
    memcpy(at + 6, &length, 4);
    if (crc) *crc = crc64(crc64(*crc, at, HEADER), page, PAGE);
    at += HEADER + size;
    if ((i + 1) % BATCH) continue;
    if (crc) memcpy(result, frames, at - frames);
    if (file && fwrite(frames, 1, at - frames, file) != (size_t)(at - frames)) fail("cannot write");
    at = frames;
  }
}

static int block_size(const uint8_t *frame) {
  uint32_t length;
  memcpy(&length, frame + 6, 4);
  return big_endian(length);
}

/* Decodes batch after batch into the same memory. */
static void decode(const uint8_t *frames, size_t count, uint8_t *pages, uint64_t *crc) {
  const uint8_t *at = frames;
  for (size_t i = 0; i < count; i++) {
    if (i % BATCH == 0 && crc) {
      const uint8_t *end = frames;
      for (int k = 0; k < BATCH; k++) end += HEADER + block_size(end);
      memcpy(input, frames, end - frames);
      at = input;
      frames = end;
    }
    uint8_t *page = pages + i % BATCH * PAGE;
    int size = block_size(at);
    if (decompress((const char *)at + HEADER, (char *)page, size, PAGE) != PAGE) fail("a block is malformed");
    if (crc) *crc = crc64(crc64(*crc, at, HEADER), page, PAGE);
    at += HEADER + size;
    if (crc && (i + 1) % BATCH == 0) memcpy(result, pages, BATCH * PAGE);
  }
}

/* As SQLite's walChecksumBytes does it. Both sums in one number, the first one above. */
static uint64_t wal_checksum(uint64_t sums, const uint8_t *bytes, size_t size) {
  uint32_t s1 = sums >> 32, s2 = sums;
  const uint32_t *word = (const uint32_t *)bytes, *end = (const uint32_t *)(bytes + size);
  do {
    s1 += *word++ + s2;
    s2 += *word++ + s1;
  } while (word < end);
  return (uint64_t)s1 << 32 | s2;
}

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path);
  *size = ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*size);
  if (!bytes || fread(bytes, 1, *size, file) != *size) fail(path);
  fclose(file);
  return bytes;
}

static uint64_t processor_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 4) fail("three paths, please");
  void *library = dlopen("liblz4.so.1", RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return NO_LIBRARY;
  }
  *(void **)&compress = dlsym(library, "LZ4_compress_default");
  *(void **)&decompress = dlsym(library, "LZ4_decompress_safe");
  const char *(*version)(void);
  *(void **)&version = dlsym(library, "LZ4_versionString");
  if (!compress || !decompress || !version) fail("liblz4 lacks a function");
  make_tables();

  size_t size, length;
  uint8_t *pages = read_file(argv[1], &size), *frames = read_file(argv[2], &length);
  size_t count = size / PAGE;
  uint8_t *output = malloc(BATCH * (HEADER + BOUND));
  FILE *own = fopen(argv[3], "wb");
  if (!output || !own) fail(argv[3]);
  uint64_t crc = 0;
  encode(pages, count, output, &crc, own);
  if (fclose(own)) fail(argv[3]);
  printf("%s %016llx %s\n", version(), (unsigned long long)crc, CRC);
  fflush(stdout);

  char line[32];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    uint64_t sum = 0, before = processor_time();
    if (!strcmp(line, "encode")) encode(pages, count, output, &sum, NULL);
    else if (!strcmp(line, "compress")) encode(pages, count, output, NULL, NULL);
    else if (!strcmp(line, "decode")) decode(frames, count, output, &sum);
    else if (!strcmp(line, "decompress")) decode(frames, count, output, NULL);
    else if (!strcmp(line, "crc64")) for (size_t i = 0; i < count; i += BATCH) sum = crc64_by_tables(sum, pages, BATCH * PAGE);
    else if (!strcmp(line, "sparse")) for (size_t i = 0; i < count; i += BATCH) sum = crc64(sum, pages, BATCH * PAGE);
    else if (!strcmp(line, "wal")) for (size_t i = 0; i < count; i += BATCH) sum = wal_checksum(sum, pages, BATCH * PAGE);
    else fail("what shall be done?");
    printf("%llu %016llx\n", (unsigned long long)(processor_time() - before), (unsigned long long)sum);
    fflush(stdout);
  }
  return 0;
}
