import { expect, test } from 'vitest'
import { CLIError } from '../src/cli-error.ts'
import { parseDuration, spellDuration } from '../src/duration.ts'
import { EXIT, EXIT_MEANING, exitCodeOf } from '../src/exit-codes.ts'
import { describeFailure, failureLines } from '../src/failure.ts'
import { parseLocation } from '../src/location.ts'
import { formatHex } from '../src/output/hex.ts'
import { Progress } from '../src/output/progress.ts'
import { formatTable } from '../src/output/table.ts'
import { formatBytes, formatCount, formatDuration } from '../src/output/units.ts'

test('bytes and durations read as people say them', () => {
  expect([0, 1023, 1536, 5 << 20, 3 * 1024 ** 3].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '5.0 MiB',
    '3.0 GiB',
  ])
  expect([3, 3400, 125_000, 12_000_000, 188_000_000].map(formatDuration)).toEqual([
    '3 ms',
    '3.4 s',
    '2 min 5 s',
    '3 h 20 min',
    '2 d 4 h',
  ])
  expect([1, 2].map((n) => formatCount(n, 'file'))).toEqual(['1 file', '2 files'])
})

test('durations need a unit', () => {
  expect(['200ms', '1s', '1.5m', '1h', '7d'].map(parseDuration)).toEqual([
    200, 1000, 90_000, 3_600_000, 604_800_000,
  ])
  for (const text of ['200ms', '90s', '5m', '36h', '30d'])
    expect(spellDuration(parseDuration(text))).toBe(text)
  for (const text of ['5', '', 's', '-1s', '1 s', '1w'])
    expect(() => parseDuration(text)).toThrow(/not a duration/)
})

test('a table aligns its columns', () => {
  const table = formatTable(
    [{ title: 'A' }, { title: 'SIZE', align: 'right' }],
    [
      ['xyz', '1'],
      ['b', '12345'],
    ],
  )
  expect(table).toBe('A     SIZE\nxyz      1\nb    12345')
})

test('a hex dump shows offsets, bytes and text', () => {
  const bytes = new TextEncoder().encode('SQLite format 3\0x')
  expect(formatHex(bytes).split('\n')).toEqual([
    '00000000  53 51 4c 69 74 65 20 66 6f 72 6d 61 74 20 33 00  SQLite format 3.',
    `00000010  78${' '.repeat(45)}  x`,
  ])
})

test('progress draws on a terminal, at most ten times a second, and removes itself', () => {
  const written: string[] = []
  let now = 0
  const progress = new Progress('restoring', { isTTY: true, write: (text) => written.push(text) }, () => now)
  for (now = 50; now <= 1000; now += 10) progress.update(now * 1024, 1000 * 1024)
  progress.end()
  expect(written.length).toBeLessThan(13)
  expect(written.at(-2)).toMatch(/restoring {2}9\d\d\.\d KiB of 1000\.0 KiB {2}9\d % {2}\d+\.\d KiB\/s/)
  expect(written.at(-1)).toBe('\r\u001b[K')
})

test('progress writes nothing when the stream is not a terminal', () => {
  const written: string[] = []
  const progress = new Progress('restoring', { isTTY: false, write: (text) => written.push(text) })
  progress.update(10, 100)
  progress.end()
  expect(written).toEqual([])
})

test('plain paths and file URLs are the same place', () => {
  expect(parseLocation('/backups/a b').url.href).toBe('file:///backups/a%20b')
  expect(parseLocation('file:///backups/a%20b').url.href).toBe('file:///backups/a%20b')
  expect(parseLocation('backup').url.href).toMatch(/^file:\/\/\/.*\/backup$/)
})

test('every exit code has a meaning', () => {
  expect(Object.keys(EXIT_MEANING).map(Number)).toEqual(Object.values(EXIT))
})

test.each([
  ['ReplicaError', 'gap', EXIT.notRestorable],
  ['ReplicaError', 'sink-exists', EXIT.targetExists],
  ['StorageError', 'timeout', EXIT.unavailable],
  ['PrimaryError', 'locked', EXIT.conflict],
  ['PrimaryError', 'disk-full', EXIT.diskFull],
  ['LTXError', 'anything', EXIT.corrupt],
  ['SystemError', 'ENOSPC', EXIT.diskFull],
  ['Error', 'anything', EXIT.unexpected],
])('%s %s ends with exit code %i', (name, code, exit) => {
  expect(exitCodeOf(name, code)).toBe(exit)
})

test('an error is one line and a hint, without credentials', () => {
  const error = new CLIError('bad-url', 'cannot reach\n  s3://key:secret@bucket/x', 'try https://u:p@host')
  expect(failureLines(describeFailure(error))).toBe(
    'error: cannot reach s3://***@bucket/x (bad-url)\nhint: try https://***@host\n',
  )
})

test('an error of the system keeps its code; the hint of the cause is shown', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write',
  })
  expect(describeFailure(full)).toMatchObject({ code: 'ENOSPC', exit: EXIT.diskFull })
  const wrapped = new Error('cannot go on', { cause: new CLIError('usage', 'inner', 'do this') })
  expect(describeFailure(wrapped)).toMatchObject({
    code: 'unexpected',
    hint: 'do this',
    exit: EXIT.unexpected,
  })
})
