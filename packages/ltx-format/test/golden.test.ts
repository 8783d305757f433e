import {
  Decoder,
  Encoder,
  formatChecksum,
  formatFilename,
  formatTXID,
  type Header,
  isLTXError,
  mergeFiles,
  type Page,
} from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { collect, goldenSets, readGolden, readManifest, sha256, streamOf } from './golden.ts'

async function decode(bytes: Uint8Array, chunkSize?: number): Promise<{ header: Header; pages: Page[] }> {
  const decoder = await Decoder.open(streamOf(bytes, chunkSize))
  const pages: Page[] = []
  for await (const page of decoder) pages.push(page)
  await decoder.finish()
  return { header: decoder.header, pages }
}

function reencode(header: Header, pages: readonly Page[]): Uint8Array {
  const encoder = new Encoder(header)
  return Buffer.concat([encoder.start(), ...pages.map((page) => encoder.page(page)), encoder.finish()])
}

/** Pages of a database, to which files are applied; truncated pages are gone. */
class Image {
  #pages = new Map<number, Uint8Array>()

  apply(header: Header, pages: readonly Page[]): Uint8Array {
    for (const page of pages) this.#pages.set(page.pgno, page.data)
    for (const pgno of this.#pages.keys()) if (pgno > header.commit) this.#pages.delete(pgno)
    const image = new Uint8Array(header.commit * header.pageSize)
    for (const [pgno, data] of this.#pages) image.set(data, (pgno - 1) * header.pageSize)
    return image
  }
}

describe.each(goldenSets)('golden set $name of Litestream 0.5.17', ({ name, replica }) => {
  const manifest = readManifest(name)
  const level0 = manifest.transactions.map(({ txid }) =>
    readGolden(name, replica, `ltx/0/${txid}-${txid}.ltx`),
  )

  test.each(manifest.files)(
    'decodes $path with its checksum verified, whatever the chunk size',
    async (file) => {
      const bytes = readGolden(name, 'replica', file.path)
      for (const chunkSize of [1, 101, 65536]) {
        const decoder = await Decoder.open(streamOf(bytes, chunkSize))
        const { header } = decoder
        const trailer = await decoder.finish()
        expect(formatChecksum(trailer.fileChecksum)).toBe(file.fileChecksum)
        expect(header).toEqual({
          flags: file.flags,
          pageSize: file.pageSize,
          commit: file.commit,
          minTXID: BigInt(`0x${file.minTxid}`),
          maxTXID: BigInt(`0x${file.maxTxid}`),
          timestamp: file.timestampMs,
          preApplyChecksum: 0n,
          walOffset: 0,
          walSize: 0,
          walSalt1: 0,
          walSalt2: 0,
          nodeId: 0n,
        })
        expect(file.path.endsWith(formatFilename(header))).toBe(true)
      }
    },
  )

  test('every transaction rebuilds the image of the manifest, holes as zero pages', async () => {
    const image = new Image()
    for (const [i, bytes] of level0.entries()) {
      const { header, pages } = await decode(bytes)
      expect(sha256(image.apply(header, pages))).toBe(manifest.transactions[i]!.imageSha256)
    }
  })

  test('every file survives encoding and decoding again', async () => {
    for (const bytes of level0) {
      const { header, pages } = await decode(bytes)
      expect(await decode(reencode(header, pages))).toEqual({ header, pages })
    }
  })

  test('the merge of files 1 to n is the image of transaction n, or is refused for a hole', async () => {
    for (const [i, transaction] of manifest.transactions.entries()) {
      const merged = collect(mergeFiles(level0.slice(0, i + 1).map((bytes) => streamOf(bytes))))
      if (transaction.holes > 0) {
        await expect(merged).rejects.toSatisfy((e) => isLTXError(e, 'page-missing'))
        continue
      }
      const { header, pages } = await decode(await merged)
      expect(sha256(new Image().apply(header, pages))).toBe(transaction.imageSha256)
      expect(formatTXID(header.maxTXID)).toBe(transaction.txid)
      expect(header.timestamp).toBe(transaction.timestampMs)
    }
  })
})

test('a merge has the pages and header of the file that Litestream compacted from the same sources', async () => {
  const levels = readManifest('levels')
  for (const file of levels.files.filter((f) => /ltx\/[12]\//.test(f.path))) {
    const sources = levels.transactions
      .filter(({ txid }) => txid >= file.minTxid && txid <= file.maxTxid)
      .map(({ txid }) => streamOf(readGolden('levels', `replica-before-retention/ltx/0/${txid}-${txid}.ltx`)))
    const ours = await decode(await collect(mergeFiles(sources)))
    expect(ours).toEqual(await decode(readGolden('levels', 'replica', file.path)))
  }
})
