import { Args, Flags } from '@oclif/core'
import { type BlobStore, probeConditionalPut } from '@sqlstream/storage'
import {
  type ConformanceResult,
  conformanceTests,
  type Harness,
  runConformance,
} from '@sqlstream/storage-conformance'
import { BaseCommand } from '../../base-command.ts'
import type { StorageCheckJSON } from '../../check-schema.ts'
import { EXIT } from '../../exit-codes.ts'
import { describeFailure } from '../../failure.ts'
import type { Location } from '../../location.ts'
import { formatCount, formatDuration } from '../../output/units.ts'
import { clausesOf, formatClauses, judgeStore, probeLine } from '../../storage-report.ts'

/** Enough to find what is grossly wrong; neither a second page of a listing nor an upload in parts. */
const QUICK = { manyKeys: 30, largeBytes: 300_000 }

export default class StorageCheck extends BaseCommand {
  static override summary = 'Try what a place for backups really honours.'
  static override description =
    'Writes, reads, lists and deletes below random names and removes them again, so the place may be in use. First it tries conditional puts, on which the safety of a replica rests, also with writers at once; then every clause of the storage contract (packages/storage/CONTRACT.md). A service that claims more than it keeps is found out. About 5,000 requests and 800 MB of traffic; with --quick 3,000 and 140 MB.'
  static override examples = [
    { description: 'A folder or a bucket', command: '<%= config.bin %> storage check s3://bucket/app' },
    {
      description: 'With fewer objects and small bodies',
      command: '<%= config.bin %> storage check /backups --quick',
    },
    { description: 'For a script', command: '<%= config.bin %> storage check /backups --json' },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the place' }),
  }
  static override flags = {
    quick: Flags.boolean({
      default: false,
      description: 'fewer objects, small bodies, no races in the probe',
    }),
  }

  async run(): Promise<StorageCheckJSON> {
    const { args, flags } = await this.parse(StorageCheck)
    const started = performance.now()
    const location = await this.drivers.locate(args.url)
    const progress = this.progress('checking')
    try {
      await using store = await this.#open(location)
      progress.step('conditional puts')
      const probe = await probeConditionalPut(store, { signal: this.signal, thorough: !flags.quick })
      const harness: Harness = { open: () => this.#open(location), ...(flags.quick ? QUICK : {}) }
      const results: ConformanceResult[] = []
      progress.step(`0 of ${conformanceTests.length}`)
      for await (const result of runConformance(harness, { signal: this.signal })) {
        results.push(result)
        progress.step(`${results.length} of ${conformanceTests.length}  ${result.test}`)
      }
      progress.end()
      const report: StorageCheckJSON = {
        store: location.display,
        driver: store.driver,
        quick: flags.quick,
        claims: claimsOf(store),
        probe: { ...probe, findings: [...probe.findings] },
        ...toJSON(judgeStore(store.capabilities, probe, results)),
        tests: results.map(testJSON),
        milliseconds: Math.round(performance.now() - started),
      }
      this.#print(report)
      if (!report.ok) process.exitCode = EXIT.contractBroken
      return report
    } finally {
      progress.end()
    }
  }

  #open(location: Location): Promise<BlobStore> {
    return this.drivers.open(location, { signal: this.signal })
  }

  #print(report: StorageCheckJSON): void {
    const { claims, probe, clauses, tests } = report
    this.log(`${report.store} (driver ${report.driver})`)
    this.log(probeLine(claims, probe))
    if (claims.conditionalPut) for (const finding of probe.findings) this.log(`  ${finding}`)
    for (const outcome of ['kept', 'broken', 'not tried'] as const) {
      const names = clauses.filter((each) => each.outcome === outcome).map(({ clause }) => clause)
      if (names.length > 0) this.log(`${outcome}: ${formatClauses(names)}`)
    }
    for (const reason of new Set(tests.map((test) => test.reason))) {
      if (reason !== undefined) this.log(`  ${formatClauses(clausesSkippedFor(reason, tests))}: ${reason}`)
    }
    for (const { name, error } of tests) if (error !== undefined) this.log(`failed: ${name}\n  ${error}`)
    for (const claim of report.disproved)
      this.log(`the driver claims ${claim}, and the service does not keep it`)
    const verdict = report.ok ? 'keeps the contract as far as it was tried' : 'breaks the contract'
    this.log(`${formatCount(tests.length, 'test')} in ${formatDuration(report.milliseconds)}: ${verdict}`)
  }
}

function clausesSkippedFor(reason: string, tests: StorageCheckJSON['tests']): string[] {
  return [...new Set(tests.filter((test) => test.reason === reason).flatMap(({ name }) => clausesOf(name)))]
}

function claimsOf({
  capabilities: { conditionalPut, consistentList },
}: BlobStore): StorageCheckJSON['claims'] {
  return { conditionalPut, consistentList }
}

function toJSON(
  verdict: ReturnType<typeof judgeStore>,
): Pick<StorageCheckJSON, 'ok' | 'clauses' | 'disproved'> {
  return { ok: verdict.ok, clauses: [...verdict.clauses], disproved: [...verdict.disproved] }
}

function testJSON({
  test,
  outcome,
  milliseconds,
  reason,
  error,
}: ConformanceResult): StorageCheckJSON['tests'][number] {
  return {
    name: test,
    outcome,
    milliseconds: Math.round(milliseconds),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error: describeFailure(error).message }),
  }
}
