import { Args, Flags } from '@oclif/core'
import { formatFilename, formatTXID } from '@sqlstream/ltx'
import { type Finding, headOf, verify } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { BaseCommand } from '../base-command.ts'
import { EXIT } from '../exit-codes.ts'
import { allFiles, openReplica, readCatalog } from '../open-replica.ts'
import { formatCount } from '../output/units.ts'
import type { VerifyJSON } from '../schema.ts'

export default class Verify extends BaseCommand {
  static override summary = 'Prove that a replica is whole.'
  static override description =
    'Depth "chain" reads headers alone and proves that each file continues the one before; depth "bytes" reads every file and compares every checksum.'
  static override examples = [
    { description: 'Is the chain unbroken?', command: '<%= config.bin %> verify /backups/app' },
    {
      description: 'Is every byte right?',
      command: '<%= config.bin %> verify file:///backups/app --depth bytes',
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
    const verdict = errors === 0 ? 'whole' : `damaged: ${formatCount(errors, 'error')}`
    this.log(
      `${formatCount(files, 'file')} up to TXID ${head === undefined ? '-' : formatTXID(head)}: ${verdict}`,
    )
    if (errors > 0) process.exitCode = EXIT.corrupt
    return {
      source: named.location.display,
      depth: flags.depth,
      ok: errors === 0,
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
    }
  }
}
