import { Args } from '@oclif/core'
import {
  Decoder,
  formatChecksum,
  formatTXID,
  type Header,
  isSnapshot,
  type PageIndex,
  readHeader,
  readPageIndex,
  type Trailer,
} from '@sqlstream/ltx'
import { BaseCommand } from '../../base-command.ts'
import { openLTXSource } from '../../ltx-source.ts'
import { formatBytes } from '../../output/units.ts'
import type { ShowJSON } from '../../schema.ts'

export default class LTXShow extends BaseCommand {
  static override summary = 'Show the header, counts, chain proof and page index of one LTX file.'
  static override description =
    'The file is read to its end and its checksum is compared, so what is shown is what was written.'
  static override examples = [
    {
      description: 'A file on disk',
      command: '<%= config.bin %> ltx show /backups/app/ltx/0/0000000000000002-0000000000000002.ltx',
    },
    {
      description: 'A file of a replica, by its name',
      command: '<%= config.bin %> ltx show file:///backups/app 0000000000000002-0000000000000002.ltx',
    },
  ]
  static override args = {
    place: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'path of an LTX file, or URL of a replica',
    }),
    name: Args.string({
      ignoreStdin: true,
      description: 'with a URL: name of the file, as ltx list shows it; level/name when it is on several',
    }),
  }

  async run(): Promise<ShowJSON> {
    const { args } = await this.parse(LTXShow)
    await using source = await openLTXSource(args.place, args.name, {
      signal: this.signal,
      drivers: this.drivers,
    })
    const header = await readHeader(source.random)
    const index = await readPageIndex(source.random)
    const decoder = await Decoder.open(source.stream(), { signal: this.signal })
    const result = describe(source.name, source.random.size, header, await decoder.finish(), index)
    this.#print(result)
    return result
  }

  #print(r: ShowJSON): void {
    const kind = r.snapshot ? 'snapshot' : 'increment'
    const lines: [string, string][] = [
      ['file', `${r.file}  ${formatBytes(r.size)}  ${kind}`],
      ['txid', `${r.minTXID} to ${r.maxTXID}`],
      ['time', r.timestamp],
      ['database', `${r.commit} pages of ${r.pageSize} bytes after it`],
      [
        'pages here',
        `${r.index.pages}, from ${r.index.firstPage} to ${r.index.lastPage}, ${formatBytes(r.index.compressedBytes)} compressed`,
      ],
      [
        'proof',
        r.proof === undefined
          ? 'none (unproven)'
          : `${r.proof.preApplyChecksum} -> ${r.proof.postApplyChecksum}`,
      ],
      ['checksums', `before ${r.preApplyChecksum}, after ${r.postApplyChecksum}, file ${r.fileChecksum}`],
      ['wal', `offset ${r.walOffset}, ${r.walSize} bytes, salts ${r.walSalt1} ${r.walSalt2}`],
      ['node', r.nodeId],
      ['flags', String(r.flags)],
    ]
    for (const [title, text] of lines) this.log(`${title.padEnd(12)}${text}`)
  }
}

function describe(name: string, size: number, header: Header, trailer: Trailer, index: PageIndex): ShowJSON {
  let compressedBytes = 0
  for (let i = 0; i < index.count; i++) compressedBytes += index.sizes[i] ?? 0
  return {
    file: name,
    size,
    minTXID: formatTXID(header.minTXID),
    maxTXID: formatTXID(header.maxTXID),
    snapshot: isSnapshot(header),
    timestamp: new Date(header.timestamp).toISOString(),
    pageSize: header.pageSize,
    commit: header.commit,
    flags: header.flags,
    preApplyChecksum: formatChecksum(header.preApplyChecksum),
    postApplyChecksum: formatChecksum(trailer.postApplyChecksum),
    fileChecksum: formatChecksum(trailer.fileChecksum),
    walOffset: header.walOffset,
    walSize: header.walSize,
    walSalt1: header.walSalt1,
    walSalt2: header.walSalt2,
    nodeId: header.nodeId.toString(16).padStart(16, '0'),
    ...(header.proof === undefined
      ? {}
      : {
          proof: {
            preApplyChecksum: formatChecksum(header.proof.preApplyChecksum),
            postApplyChecksum: formatChecksum(header.proof.postApplyChecksum),
          },
        }),
    index: {
      pages: index.count,
      firstPage: index.pgnos[0] ?? 0,
      lastPage: index.pgnos[index.count - 1] ?? 0,
      compressedBytes,
    },
  }
}
