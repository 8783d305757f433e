/*
 * The work on pages of LTX as a native program does it: blocks by the system's liblz4, CRC-64/GO-ISO by sixteen tables. It makes
 * no checksums of pages, only that of the file. Compiled by ../src/native.ts when the benchmark runs.
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

static uint64_t crc64(uint64_t crc, const uint8_t *p, size_t size) {
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

static uint32_t big_endian(uint32_t v) { return __builtin_bswap32(v); }

/* Encodes batch after batch into the same memory, and writes each to `file` unless that is null. With `crc` null nothing is hashed. */
static void encode(const uint8_t *pages, size_t count, uint8_t *frames, uint64_t *crc, FILE *file) {
  uint8_t *at = frames;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *page = pages + i * PAGE;
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
    if (file && fwrite(frames, 1, at - frames, file) != (size_t)(at - frames)) fail("cannot write");
    at = frames;
  }
}

/* Decodes batch after batch into the same memory. */
static void decode(const uint8_t *frames, size_t count, uint8_t *pages, uint64_t *crc) {
  for (size_t i = 0; i < count; i++) {
    uint8_t *page = pages + i % BATCH * PAGE;
    uint32_t length;
    memcpy(&length, frames + 6, 4);
    int size = big_endian(length);
    if (decompress((const char *)frames + HEADER, (char *)page, size, PAGE) != PAGE) fail("a block is malformed");
    if (crc) *crc = crc64(crc64(*crc, frames, HEADER), page, PAGE);
    frames += HEADER + size;
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
  printf("%s %016llx\n", version(), (unsigned long long)crc);
  fflush(stdout);

  char line[32];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    uint64_t sum = 0, before = processor_time();
    if (!strcmp(line, "encode")) encode(pages, count, output, &sum, NULL);
    else if (!strcmp(line, "compress")) encode(pages, count, output, NULL, NULL);
    else if (!strcmp(line, "decode")) decode(frames, count, output, &sum);
    else if (!strcmp(line, "decompress")) decode(frames, count, output, NULL);
    else if (!strcmp(line, "crc64")) for (size_t i = 0; i < count; i += BATCH) sum = crc64(sum, pages, BATCH * PAGE);
    else if (!strcmp(line, "wal")) for (size_t i = 0; i < count; i += BATCH) sum = wal_checksum(sum, pages, BATCH * PAGE);
    else fail("what shall be done?");
    printf("%llu %016llx\n", (unsigned long long)(processor_time() - before), (unsigned long long)sum);
    fflush(stdout);
  }
  return 0;
}
