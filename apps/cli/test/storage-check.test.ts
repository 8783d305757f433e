import { readdirSync } from 'node:fs'
import type { ConditionalPutReport } from '@sqlstream/storage'
import { type ConformanceResult, conformanceTests } from '@sqlstream/storage-conformance'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { Progress } from '../src/output/progress.ts'
import { SCHEMAS } from '../src/schema.ts'
import { formatClauses, judgeStore } from '../src/storage-report.ts'
import { runCLI, startCLI } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('check')
})

afterEach(() => {
  folder.remove()
})

/** A driver over one MemoryStore that does `code` to it, named in a configuration. */
function installDriver(code: string): void {
  writeFile(
    folder,
    'driver.mjs',
    `import { MemoryStore, withFaults } from ${JSON.stringify(import.meta.resolve('@sqlstream/storage'))}
     const shared = new MemoryStore()
     export default { name: 'foo', schemes: ['foo'], async open() {
       const store = withFaults(shared, [])
       store[Symbol.asyncDispose] = async () => {}
       ${code}
     } }`,
  )
  writeFile(folder, 'sqlstream.yml', 'drivers: [./driver.mjs]\ndatabases: []\n')
}

async function check(...flags: string[]) {
  const { status, stdout, stderr } = await runCLI(['storage', 'check', 'foo://x', '--json', ...flags], {
    cwd: folder.path,
  })
  expect(stderr).toBe('')
  return { status, report: SCHEMAS['storage-check'].parse(JSON.parse(stdout)) }
}

describe('storage check', () => {
  test('of a folder in use keeps every clause that can be tried, and leaves the folder as it was', async () => {
    const backup = folder.join('backup')
    writeFile(folder, 'backup/ltx/9/0000000000000001-0000000000000001.ltx', 'in use')
    const before = readdirSync(backup, { recursive: true })
    const { status, stdout, stderr } = await runCLI(['storage', 'check', backup, '--quick'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(
      /\(driver file\)\nconditional puts: claimed and honoured\nkept: S1-S33, S35-S39, S41-.*\nnot tried: S34, S40, /,
    )
    expect(stdout).toMatch(/S40: needs a bucket that does not exist/)
    expect(stdout).toMatch(/tests in .*: keeps the contract as far as it was tried\n$/)
    expect(readdirSync(backup, { recursive: true })).toEqual(before)
  })

  test('of a right store, in full, has a winner in every race', async () => {
    installDriver('return store')
    const { status, report } = await check()
    expect(status).toBe(0)
    expect(report).toMatchObject({ ok: true, quick: false, driver: 'memory', disproved: [] })
    expect(report.probe).toMatchObject({ honoured: true, races: 'one-winner', findings: [] })
    expect(report.tests.map(({ name }) => name)).toEqual(conformanceTests.map(({ name }) => name))
    expect(report.clauses.filter(({ outcome }) => outcome === 'broken')).toEqual([])
  })

  test('finds out a store that claims conditional puts and ignores them', async () => {
    installDriver(`store.setPlan([{ operation: 'put', fault: 'ignore-precondition' }]); return store`)
    const { status, report } = await check('--quick')
    expect(status).toBe(EXIT.contractBroken)
    expect(report).toMatchObject({
      ok: false,
      claims: { conditionalPut: true },
      disproved: ['conditionalPut'],
      probe: { createOnly: false, compareAndSet: false, honoured: false, races: 'not-tried' },
    })
    const broken = report.clauses.filter(({ outcome }) => outcome === 'broken').map(({ clause }) => clause)
    expect(broken).toEqual(expect.arrayContaining(['S30', 'S31', 'S32', 'S33', 'S44']))
    const { stdout } = await runCLI(['storage', 'check', 'foo://x', '--quick'], { cwd: folder.path })
    expect(stdout).toMatch(
      /conditional puts: claimed and not honoured\n {2}a put with 'absent' replaced an object\n/,
    )
    expect(stdout).toMatch(/failed: S30: absent creates and never replaces\n {2}second put: succeeded/)
    expect(stdout).toMatch(
      /the driver claims conditionalPut, and the service does not keep it\n.*: breaks the contract\n$/,
    )
  })

  test('takes a store without conditional puts for what it is', async () => {
    installDriver(`
      const { put } = store
      store.capabilities = { conditionalPut: false, consistentList: true }
      store.copy = undefined
      store.put = async (key, body, options) => {
        if (options?.precondition) throw Object.assign(new Error('no'), { name: 'StorageError', code: 'unsupported', driver: 'memory', operation: 'put', key })
        return put(key, body, options)
      }
      return store`)
    const { status, report } = await check('--quick')
    expect(status).toBe(0)
    expect(report).toMatchObject({ ok: true, disproved: [], probe: { honoured: false } })
    expect(report.clauses).toContainEqual({ clause: 'S31', outcome: 'not tried' })
    expect(report.clauses).toContainEqual({ clause: 'S34', outcome: 'kept' })
    const { stdout } = await runCLI(['storage', 'check', 'foo://x', '--quick'], { cwd: folder.path })
    expect(stdout).toMatch(
      /conditional puts: none, says the driver; a replica there needs lease.soleWriter\n/,
    )
  })

  test('of a place that cannot be written is an error, not a report', async () => {
    installDriver(
      `store.setPlan([{ operation: 'put', fault: 'fail', error: 'permission-denied' }]); return store`,
    )
    const { status, stdout, stderr } = await runCLI(['storage', 'check', 'foo://x'], { cwd: folder.path })
    expect({ status, stdout }).toEqual({ status: EXIT.unavailable, stdout: '' })
    expect(stderr).toContain('(permission-denied)')
  })

  test('that is stopped removes what it wrote', async () => {
    const running = startCLI(['storage', 'check', folder.join('backup')])
    await new Promise<void>((resolve) => {
      const look = (): void => {
        const there = readdirSync(folder.path, { recursive: true })
        if (there.some((name) => String(name).includes('sqlstream-conformance-'))) resolve()
        else setTimeout(look, 5)
      }
      look()
    })
    running.child.kill('SIGINT')
    expect((await running.result).status).toBe(EXIT.interrupted)
    expect(readdirSync(folder.join('backup'))).toEqual([])
  })
})

const honoured: ConditionalPutReport = {
  createOnly: true,
  compareAndSet: true,
  races: 'one-winner',
  honoured: true,
  findings: [],
}

describe('the verdict', () => {
  const claims = { conditionalPut: true, consistentList: true }
  const result = (test: string, outcome: ConformanceResult['outcome']): ConformanceResult => ({
    test,
    outcome,
    milliseconds: 1,
  })

  test('a clause is broken when one of its tests failed, kept when one passed, in order of numbers', () => {
    const results = [
      result('S10 S2: a', 'passed'),
      result('S2: b', 'failed'),
      result('S10: c S3', 'skipped'),
      result('S4: d', 'skipped'),
      result('S4: e', 'passed'),
      result('S5: f', 'skipped'),
      result('S2: g', 'passed'),
    ]
    expect(judgeStore(claims, honoured, results)).toEqual({
      ok: false,
      disproved: [],
      clauses: [
        { clause: 'S2', outcome: 'broken' },
        { clause: 'S4', outcome: 'kept' },
        { clause: 'S5', outcome: 'not tried' },
        { clause: 'S10', outcome: 'kept' },
      ],
    })
  })

  test.each([
    ['the probe', claims, { ...honoured, honoured: false }, [], ['conditionalPut']],
    ['a test of preconditions', claims, honoured, [result('S33: a', 'failed')], ['conditionalPut']],
    ['a test of listings', claims, honoured, [result('S9: a', 'failed')], ['consistentList']],
    ['nothing', claims, honoured, [result('S9 S33: a', 'passed')], []],
    [
      'nothing that was claimed',
      { conditionalPut: false, consistentList: false },
      { ...honoured, honoured: false },
      [],
      [],
    ],
  ])('a claim is disproved by %s', (_, capabilities, probe, results, disproved) => {
    expect(judgeStore(capabilities, probe, results)).toMatchObject({ disproved, ok: disproved.length === 0 })
  })

  test('clauses in a row are written as a range', () => {
    expect(formatClauses(['S1', 'S2', 'S3', 'S5', 'S7', 'S8'])).toBe('S1-S3, S5, S7-S8')
    expect(formatClauses([])).toBe('')
  })
})

test('progress says what is being done, on a terminal alone, in one line', () => {
  for (const isTTY of [true, false]) {
    const written: string[] = []
    const progress = new Progress('checking', { isTTY, write: (text) => written.push(text) })
    progress.step(`1 of 65  ${'x'.repeat(200)}`)
    progress.end()
    expect(written).toEqual(
      isTTY ? [expect.stringMatching(/Kchecking {2}1 of 65 {2}x{30,70}$/), '\r\u001b[K'] : [],
    )
    expect(written[0]?.length ?? 0).toBeLessThan(90)
  }
})
