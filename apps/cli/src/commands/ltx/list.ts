import { Args } from '@oclif/core'
import { formatTXID } from '@sqlstream/ltx'
import { findGaps, headOf } from '@sqlstream/replica'
import { BaseCommand } from '../../base-command.ts'
import { allFiles, openReplica, readCatalog } from '../../open-replica.ts'
import { fileJSON } from '../../output/json.ts'
import { formatTable } from '../../output/table.ts'
import { formatBytes, formatCount } from '../../output/units.ts'
import type { ListJSON } from '../../schema.ts'

export default class LTXList extends BaseCommand {
  static override summary = 'List the LTX files of a replica.'
  static override description =
    'Level 0 holds captures, 1 to 8 merged files, 9 snapshots. A gap means that what was committed there cannot be restored.'
  static override examples = [
    { description: 'What is in a backup folder', command: '<%= config.bin %> ltx list /backups/app' },
    {
      description: 'The same for a script',
      command: '<%= config.bin %> ltx list file:///backups/app --json',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }

  async run(): Promise<ListJSON> {
    const { args } = await this.parse(LTXList)
    await using named = await openReplica(args.url, { signal: this.signal, drivers: this.drivers })
    const catalog = await readCatalog(named, { signal: this.signal })
    const files = allFiles(catalog)
    const head = headOf(catalog)
    const result: ListJSON = {
      source: named.location.display,
      ...(head === undefined ? {} : { head: formatTXID(head) }),
      files: files.map(fileJSON),
      gaps: findGaps(catalog).map((gap) => ({
        minTXID: formatTXID(gap.minTXID),
        maxTXID: formatTXID(gap.maxTXID),
      })),
      bytes: files.reduce((sum, file) => sum + file.size, 0),
    }
    this.#print(result)
    return result
  }

  #print(result: ListJSON): void {
    this.log(
      formatTable(
        [{ title: 'LEVEL' }, { title: 'NAME' }, { title: 'SIZE', align: 'right' }, { title: 'MODIFIED' }],
        result.files.map((file) => [String(file.level), file.name, formatBytes(file.size), file.modified]),
      ),
    )
    for (const gap of result.gaps) this.log(`gap: ${gap.minTXID} to ${gap.maxTXID} is missing`)
    this.log(
      `${formatCount(result.files.length, 'file')}, ${formatBytes(result.bytes)}, newest TXID ${result.head ?? '-'}`,
    )
  }
}
