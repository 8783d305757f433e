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
  file: '2c083343a0a8706f',
  fileChecksum: 'd6ec68ab32a694e0',
  /** SHA-256, cut short, of the frames of four pages: zeros, text, random bytes, records. */
  frames: {
    512: '06ddd2cfae324ccc 43357bacac1f3863 c2d8451edc0cb681 b18cc41ade3efe90',
    1024: '82ad606a09ca32c5 5686d97cc4406003 5d59f1c5f72d57a1 cfbfce8942007f4b',
    2048: 'f0f0738bb0806904 6f675b2f843aa40d 017fa3a1213a134f 1d206e8d46999d23',
    4096: 'cc880289923d1dff 8e4ad62f68513054 2b8272da675f0554 39eb4c0b1477be67',
    8192: 'a393036b1b39b952 d612168d4300b3b5 a21b50055aa08699 8ef4c377707e01c2',
    16384: 'b0f67db8b3c85d75 eb2100bcdda3f0c3 f2026f1d41a7ebee a9542de0ccdc14ee',
    32768: '97085a09730785b0 a1379ad638046fbc ead17a4e4ecd64eb 7f0c9e542cc2049e',
    65536: 'a79f6fe62d559fde e9ae12862a20fe04 a8052e504f92c68f f5791baeb81f7735',
  },
  /** File checksums after 100 zero bytes and those frames. */
  digests: {
    512: '302016c714e85c40',
    1024: '64cb5a546d0da3cb',
    2048: '9643856e234e7016',
    4096: 'c09dbc86ae68a815',
    8192: '39c47ebca7e69d54',
    16384: 'f1299a7b614aa89c',
    32768: 'a4b5046e756594f6',
    65536: '8d5ac176e805e1ff',
  },
}
