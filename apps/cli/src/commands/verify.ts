import { Args, Flags } from '@oclif/core'
import { formatFilename, formatTXID } from '@sqlstream/ltx'
import { type Catalog, type Finding, headOf, type Replica, verify } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { BaseCommand } from '../base-command.ts'
import { runDrill } from '../drill.ts'
import { EXIT } from '../exit-codes.ts'
import { allFiles, openReplica, readCatalog } from '../open-replica.ts'
import { formatBytes, formatCount, formatDuration } from '../output/units.ts'
import type { DrillJSON, VerifyJSON } from '../schema.ts'

export default class Verify extends BaseCommand {
  static override summary =
    'Prove that the chain of a replica is unbroken, or that every byte of it is right.'
  static override description =
    'Depth "chain" reads headers alone and proves that each file continues the one before; depth "bytes" reads every file and compares every checksum. --drill also restores the newest state to a temporary folder (TMPDIR), has SQLite check all of it, compares it with the chain, and records in the replica which state was proven.'
  static override examples = [
    { description: 'Is the chain unbroken?', command: '<%= config.bin %> verify /backups/app' },
    {
      description: 'Is every byte right?',
      command: '<%= config.bin %> verify file:///backups/app --depth bytes',
    },
    {
      description: 'Would a restore work? Once a day, by a timer',
      command: '<%= config.bin %> verify s3://bucket/app --drill',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    depth: Flags.option({ options: ['chain', 'bytes'] as const })({
      default: 'chain',
      description: 'how much is read',
    }),
    drill: Flags.boolean({
      default: false,
      description:
        'also restore the newest state to a temporary folder, check it and record that it was proven',
    }),
  }

  async run(): Promise<VerifyJSON> {
    const { args, flags } = await this.parse(Verify)
    await using named = await openReplica(args.url, { signal: this.signal, drivers: this.drivers })
    const catalog = await readCatalog(named, { signal: this.signal })
    const head = headOf(catalog)
    const progress = this.progress('verifying')
    const findings: Finding[] = []
    try {
      const options = {
        depth: flags.depth,
        signal: this.signal,
        pool: createKernelPool,
        onProgress: (p: { bytes: number; totalBytes: number }) => progress.update(p.bytes, p.totalBytes),
      }
      for await (const finding of verify(named.replica, options)) findings.push(finding)
    } finally {
      progress.end()
    }
    const errors = findings.filter((finding) => finding.severity === 'error').length
    for (const finding of findings) this.log(`${finding.severity}: ${finding.message} (${finding.kind})`)
    const files = allFiles(catalog).length
    const verdict = errors === 0 ? PROVEN[flags.depth] : `damaged: ${formatCount(errors, 'error')}`
    this.log(
      `${formatCount(files, 'file')} up to TXID ${head === undefined ? '-' : formatTXID(head)}: ${verdict}`,
    )
    if (errors === 0 && flags.depth === 'chain' && !flags.drill) this.log(NOT_READ)
    if (errors > 0) process.exitCode = EXIT.corrupt
    const drill = flags.drill ? await this.#drill(named.replica, catalog) : undefined
    return {
      source: named.location.display,
      depth: flags.depth,
      ok: errors === 0 && drill?.ok !== false,
      files,
      ...(head === undefined ? {} : { head: formatTXID(head) }),
      findings: findings.map((finding) => ({
        kind: finding.kind,
        severity: finding.severity,
        message: finding.message,
        ...(finding.file === undefined
          ? {}
          : { file: `${finding.file.level}/${formatFilename(finding.file)}` }),
      })),
      ...(drill && { drill }),
    }
  }

  async #drill(replica: Replica, catalog: Catalog): Promise<DrillJSON> {
    const progress = this.progress('restoring')
    try {
      const { report, exit } = await runDrill(replica, catalog, {
        signal: this.signal,
        onProgress: (p) => progress.update(p.bytes, p.totalBytes),
      })
      progress.end()
      for (const line of drillLines(report)) this.log(line)
      if (exit !== EXIT.ok) process.exitCode ??= exit
      return report
    } finally {
      progress.end()
    }
  }
}

/** What is proven where nothing was found: no more than what was read. */
const PROVEN = { chain: 'the chain is unbroken', bytes: 'whole, every checksum is right' } as const

const NOT_READ = 'only headers were read; --depth bytes reads every page, --drill restores the newest state'

function drillLines({
  error,
  txid,
  timestamp,
  proven,
  bytes = 0,
  warning,
  milliseconds,
}: DrillJSON): string[] {
  if (error) {
    return [
      `drill failed: ${error.message} (${error.code})`,
      ...(error.hint === undefined ? [] : [`  hint: ${error.hint}`]),
    ]
  }
  const equal = proven === true ? ', equal to what was captured' : ''
  return [
    `drill: TXID ${txid}, state of ${timestamp}, restores: ${formatBytes(bytes)} in ${formatDuration(milliseconds)}${equal}; SQLite full check passed`,
    ...(warning === undefined ? [] : [`warning: ${warning}`]),
  ]
}
