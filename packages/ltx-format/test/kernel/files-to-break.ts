import type { PageSize } from '@sqlstream/ltx'
import { databaseChecksum, header, makeFile } from '../files.ts'
import { goldenSets, readGolden, readManifest } from '../golden.ts'
import { assemble, oldFrame } from '../handmade.ts'
import { fillPage, makePools } from './page-makers.ts'
import type { Random } from './random.ts'

/** A file and what to call it. */
export interface Sample {
  readonly name: string
  readonly bytes: Uint8Array
}

/** The files of the golden sets, one of each length, the small ones first. */
export function goldenFiles(): Sample[] {
  const all = goldenSets.flatMap(({ name }) =>
    readManifest(name).files.map(({ path }) => ({
      name: `${name}/${path}`,
      bytes: readGolden(name, 'replica', path),
    })),
  )
  const once = new Map(all.map((sample) => [sample.bytes.byteLength, sample]))
  return [...once.values()].sort((a, b) => a.bytes.byteLength - b.bytes.byteLength)
}

/** Files with what the golden ones lack: small pages, snapshots, chain proofs, tracked checksums, pages of the older kind. */
export function randomFiles(random: Random, count: number): Sample[] {
  const pools = makePools(random)
  return Array.from({ length: count }, (_, i) => {
    const pageSize = random.pick<PageSize>([512, 512, 512, 1024, 4096])
    const pages = Array.from({ length: 1 + random.below(5) }, (_, n) => {
      const data = new Uint8Array(pageSize)
      fillPage(data, random, pools)
      return { pgno: n + 1, data }
    })
    const commit = pages.length
    switch (i % 4) {
      case 0:
        return { name: `snapshot ${i}`, bytes: makeFile(header(1, 3, commit, { pageSize }), pages) }
      case 1: {
        const proof = { preApplyChecksum: databaseChecksum([]), postApplyChecksum: databaseChecksum(pages) }
        const head = header(1, 1, commit, { pageSize, proof })
        return { name: `proven snapshot ${i}`, bytes: makeFile(head, pages) }
      }
      default: {
        const frames = pages.map((page) =>
          oldFrame(page, {
            contentChecksum: i % 4 === 2,
            contentSize: random.oneIn(2),
            blockSize: random.pick([200, 65536]),
          }),
        )
        return { name: `older kind ${i}`, bytes: assemble(header(2, 2, commit + 1, { pageSize }), frames) }
      }
    }
  })
}
