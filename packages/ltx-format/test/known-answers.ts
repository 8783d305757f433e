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
  file: '287c7a5676f43933',
  fileChecksum: 'd7c37aaa3b6d94e0',
  /** SHA-256, cut short, of the frames of four pages: zeros, text, random bytes, records. */
  frames: {
    512: '06ddd2cfae324ccc b02deecc5af47d84 c2d8451edc0cb681 b444898cf07dbef6',
    1024: '82ad606a09ca32c5 4b29df390f137d12 5d59f1c5f72d57a1 0dcac3e798be6b73',
    2048: 'f0f0738bb0806904 10b5273630c85144 017fa3a1213a134f 250eed1a5de5f3bc',
    4096: 'cc880289923d1dff 690678acde91de2b 2b8272da675f0554 fcf37f384ae2a80f',
    8192: 'a393036b1b39b952 54502139de74e70f a21b50055aa08699 5f11cd5906130e32',
    16384: 'b0f67db8b3c85d75 cd9d20d4c280d71f f2026f1d41a7ebee 40a79e88ae431df3',
    32768: '97085a09730785b0 29243c6f26227f21 ead17a4e4ecd64eb 88dc4da00907a18b',
    65536: 'a79f6fe62d559fde 93cecde8d5160e41 a8052e504f92c68f 50c310f925c8f652',
  },
  /** File checksums after 100 zero bytes and those frames. */
  digests: {
    512: '31ca24d714e85c40',
    1024: '64bb37e36bcda3cb',
    2048: 'af8ed010b4a70c16',
    4096: '7f03700e37b56808',
    8192: 'a071659ab4c34e77',
    16384: 'f90686689ee03c75',
    32768: 'aabe788a1c109a76',
    65536: '59da86eaa597eb91',
  },
}
