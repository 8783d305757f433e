import { Args, Flags } from '@oclif/core'
import { checksumPage, Decoder, formatChecksum, readPageIndex } from '@sqlstream/ltx'
import { BaseCommand } from '../../base-command.ts'
import { CLIError } from '../../cli-error.ts'
import { openLTXSource } from '../../ltx-source.ts'
import { formatHex } from '../../output/hex.ts'
import { formatTable } from '../../output/table.ts'
import type { DumpJSON } from '../../schema.ts'

export default class LTXDump extends BaseCommand {
  static override summary = 'List the pages in an LTX file, or print one of them.'
  static override description =
    'Each page with the place of its frame in the file, its stored size and its checksum. The whole file is decoded and checked on the way.'
  static override examples = [
    {
      description: 'Every page of a file',
      command: '<%= config.bin %> ltx dump /backups/app/ltx/0/0000000000000002-0000000000000002.ltx',
    },
    {
      description: 'The bytes of page 1',
      command:
        '<%= config.bin %> ltx dump file:///backups/app 0000000000000002-0000000000000002.ltx --page 1',
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
      description: 'with a URL: name of the file, as ltx list shows it',
    }),
  }
  static override flags = {
    page: Flags.integer({ min: 1, description: 'print the bytes of this page in hexadecimal' }),
  }

  async run(): Promise<DumpJSON> {
    const { args, flags } = await this.parse(LTXDump)
    await using source = await openLTXSource(args.place, args.name, {
      signal: this.signal,
      drivers: this.drivers,
    })
    const index = await readPageIndex(source.random)
    const decoder = await Decoder.open(source.stream(), { signal: this.signal })
    const pages: DumpJSON['pages'] = []
    let wanted: Uint8Array | undefined
    for await (const page of decoder) {
      const i = pages.length
      const checksum = formatChecksum(checksumPage(page))
      pages.push({ pgno: page.pgno, offset: index.offsets[i] ?? 0, size: index.sizes[i] ?? 0, checksum })
      if (page.pgno === flags.page) wanted = page.data.slice()
    }
    await decoder.finish()
    if (flags.page !== undefined && wanted === undefined) {
      throw new CLIError('file-missing', `page ${flags.page} is not in ${source.name}`)
    }
    if (wanted !== undefined) this.log(formatHex(wanted))
    else this.#print(pages)
    return { file: source.name, pageSize: decoder.header.pageSize, pages }
  }

  #print(pages: DumpJSON['pages']): void {
    this.log(
      formatTable(
        [
          { title: 'PAGE', align: 'right' },
          { title: 'OFFSET', align: 'right' },
          { title: 'STORED', align: 'right' },
          { title: 'CHECKSUM' },
        ],
        pages.map((page) => [String(page.pgno), String(page.offset), String(page.size), page.checksum]),
      ),
    )
  }
}
