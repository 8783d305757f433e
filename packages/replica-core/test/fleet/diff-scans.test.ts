import { describe, expect, it } from 'vitest'
import { diffScans, type ScanChange } from '../../src/fleet/diff-scans.ts'
import type { Candidate, ScanProblem } from '../../src/fleet/scan-folder.ts'

function file(relpath: string, ino: number, rest: Partial<Candidate> = {}): Candidate {
  return {
    path: `/tree/${relpath}`,
    relpath,
    link: false,
    dev: 1n,
    ino: BigInt(ino),
    size: 4096,
    birthtimeNs: BigInt(ino),
    mtimeNs: 1000n,
    ctimeNs: 1000n,
    settled: true,
    ...rest,
  }
}

const WAL = { dev: 1n, ino: 9n, size: 100, mtimeNs: 5n, ctimeNs: 5n }

function diff(before: Candidate[], after: Candidate[], unreadable: string[] = []): string[] {
  const problems = unreadable.map(
    (relpath): ScanProblem => ({
      path: relpath,
      relpath,
      error: Object.assign(new Error(), { code: 'EACCES' }),
    }),
  )
  const byPath = (list: Candidate[]) => new Map(list.map((each) => [each.relpath, each]))
  return diffScans(byPath(before), { candidates: byPath(after), folders: new Map(), problems }).map(inShort)
}

function inShort(change: ScanChange): string {
  const { type, candidate } = change
  if (type === 'changed') return `changed ${candidate.relpath} ${change.files.join('+')}`
  if (type === 'found' && change.movedFrom) return `found ${candidate.relpath} from ${change.movedFrom}`
  return `${type} ${candidate.relpath}`
}

describe('what differs between two scans', () => {
  const a = file('a', 1)
  const young = file('a', 1, { settled: false })
  it.each<[string, Candidate[], Candidate[], string[]]>([
    ['nothing at all', [], [], []],
    ['nothing', [a], [a], []],
    ['a new file', [], [a], ['found a']],
    ['a deleted file', [a], [], ['gone a']],
    ['F4: another inode under the name', [a], [file('a', 2)], ['replaced a']],
    ['F4: the same inode on another device', [a], [file('a', 1, { dev: 2n })], ['replaced a']],
    ['F4: an inode used again', [a], [file('a', 1, { birthtimeNs: 77n })], ['replaced a']],
    ['a birth that no one knows', [a], [file('a', 1, { birthtimeNs: 0n })], []],
    ['F4: a renamed file', [a], [file('b', 1)], ['gone a', 'found b from a']],
    ['F4: a name that moved onto another', [a, file('b', 2)], [file('b', 1)], ['gone a', 'replaced b']],
    [
      'a new file with the inode of a deleted one',
      [a],
      [file('b', 1, { birthtimeNs: 5n })],
      ['gone a', 'found b'],
    ],
    ['a longer file', [a], [file('a', 1, { size: 8192 })], ['changed a database']],
    ['a written file', [a], [file('a', 1, { mtimeNs: 2000n })], ['changed a database']],
    ['a file with the time set back', [a], [file('a', 1, { ctimeNs: 2000n })], ['changed a database']],
    ['a new WAL', [a], [file('a', 1, { wal: WAL })], ['changed a wal']],
    ['a WAL that went', [file('a', 1, { wal: WAL })], [a], ['changed a wal']],
    [
      'a WAL written in place',
      [file('a', 1, { wal: WAL })],
      [file('a', 1, { wal: { ...WAL, mtimeNs: 6n } })],
      ['changed a wal'],
    ],
    [
      'another WAL',
      [file('a', 1, { wal: WAL })],
      [file('a', 1, { wal: { ...WAL, ino: 10n } })],
      ['changed a wal'],
    ],
    [
      'both',
      [file('a', 1, { wal: WAL })],
      [file('a', 1, { mtimeNs: 2n, wal: { ...WAL, size: 7 } })],
      ['changed a database+wal'],
    ],
    ['F2: equal times that may hide a write', [young], [a], ['changed a database']],
    [
      'F2: equal times that may hide a write to the WAL',
      [file('a', 1, { settled: false, wal: WAL })],
      [file('a', 1, { wal: WAL })],
      ['changed a wal'],
    ],
    ['an unsettled look after a settled one', [a], [young], []],
    [
      'everything at once, in order',
      [file('x', 1), file('y', 2), file('z', 3), file('w', 4)],
      [file('z', 3, { size: 1 }), file('l', 8, { link: true }), file('n', 7), file('x', 9), file('w', 4)],
      ['gone y', 'replaced x', 'found n', 'found l', 'changed z database'],
    ],
  ])('%s', (_name, before, after, expected) => {
    expect(diff(before, after)).toEqual(expected)
  })

  it('F5: keeps what could not be looked at', () => {
    const known = [file('t/a', 1), file('t/u/b', 2), file('tu/c', 3), file('d', 4)]
    expect(diff(known, [], ['t'])).toEqual(['gone d', 'gone tu/c'])
    expect(diff(known, [], ['t/a'])).toEqual(['gone d', 'gone t/u/b', 'gone tu/c'])
    expect(diff(known, [], [''])).toEqual([])
    expect(diff(known, [file('t/a', 1, { size: 2 })], ['t'])).toEqual([
      'gone d',
      'gone tu/c',
      'changed t/a database',
    ])
  })
})
