/**
 * What the vectors must give. The checksums and the decompressed frames were checked against a bit-by-bit CRC and a plain LZ4
 * decoder in another language. Frames change with the compressor only, everything else with the format only.
 */
export const KNOWN = {
  crcOfLengths: '5965cfab8bc198ed',
  crcOf10000: '9157c365040744a2',
  crcShifted: 'be60904300bf4bcf',
  pageChecksums: 'c8902bdc8fb5a169 e6082488384cf8cd',
  blockOfZeros: '1f000100ffe8500000000000',
  file: 'dce51969c975acf2',
  fileChecksum: '87191c0d837ba7e5',
  /** SHA-256, cut short, of the frames of four pages: zeros, text, random bytes, records. */
  frames: {
    512: '06ddd2cfae324ccc 1bc684f1ea86ed52 c2d8451edc0cb681 b18cc41ade3efe90',
    1024: '82ad606a09ca32c5 5b9324bf3e02574f 5d59f1c5f72d57a1 56227cbf8b58bf7e',
    2048: 'f0f0738bb0806904 f099ef9eb9a935bc 017fa3a1213a134f 1ad920e0e43b3ca0',
    4096: 'cc880289923d1dff e624485d250ab206 2b8272da675f0554 fa6e7bb80d15cdfb',
    8192: 'a393036b1b39b952 a28d4fefef7aa413 a21b50055aa08699 0a4e50ef23ee2337',
    16384: 'b0f67db8b3c85d75 25384f8cade4c1ec f2026f1d41a7ebee 6cf9c84bb60baed1',
    32768: '97085a09730785b0 00a8d8644357fb40 ead17a4e4ecd64eb 2608e5f1f30b7fda',
    65536: 'a79f6fe62d559fde 871397e60e923609 a8052e504f92c68f 9bf2408ff7e88fd1',
  },
  /** File checksums after 100 zero bytes and those frames. */
  digests: {
    512: '5199241919097414',
    1024: 'cc51688012100a20',
    2048: '8e51407a2736ae6f',
    4096: '2c4363b29d6e6947',
    8192: '390915d1172ffa9',
    16384: '56f8781a70713425',
    32768: '2759aa66c53117c3',
    65536: '27a5eecc6e200ccd',
  },
}
