import { type Checksum, createHeader, type Header, LTXError } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import { chainStatus, type Seen } from '../src/model/chain-status.ts'
import { timeScale, txidScale } from '../src/model/scale.ts'
import { layoutStates } from '../src/model/states-layout.ts'
import { catalog, type FileWords, file, START } from './support.ts'

const FLAG = 1n << 63n

/** What a file says: the states before and after it, as small numbers; nothing for a file without a proof. */
type Says = readonly [before: number, after: number] | 'nothing' | 'unread' | 'damaged'

function headerOf(words: FileWords, says: Says): Seen<Header> | undefined {
  if (says === 'unread') return undefined
  if (says === 'damaged') return { error: new LTXError('bad-header', 'not an LTX file') }
  const { minTXID, maxTXID } = file(words)
  const base = createHeader({ pageSize: 4096, commit: 3, minTXID, maxTXID, timestamp: START })
  if (says === 'nothing') return { value: base }
  const [before, after] = says
  const preApplyChecksum = (minTXID === 1n ? 0n : FLAG | BigInt(before)) as Checksum
  return {
    value: { ...base, proof: { preApplyChecksum, postApplyChecksum: (FLAG | BigInt(after)) as Checksum } },
  }
}

interface Case {
  readonly what: string
  readonly files: readonly (readonly [FileWords, Says])[]
  readonly verdict: string
  readonly restorable?: string
  readonly links?: string
  readonly troubles?: readonly string[]
}

test.each<Case>([
  { what: 'nothing', files: [], verdict: 'empty', restorable: '', links: '' },
  {
    what: 'a chain that fits',
    files: [
      [
        [9, 1, 1],
        [0, 1],
      ],
      [
        [0, 2, 2],
        [1, 2],
      ],
      [
        [0, 3, 3],
        [2, 3],
      ],
      [
        [1, 2, 3],
        [1, 3],
      ],
    ],
    verdict: 'proven',
    restorable: '1 2 3',
    links: 'proven proven proven start',
  },
  {
    what: 'headers that are not read yet',
    files: [
      [
        [9, 1, 1],
        [0, 1],
      ],
      [[0, 2, 2], 'unread'],
    ],
    verdict: 'reading',
    restorable: '1 2',
    links: 'unread start',
  },
  {
    what: 'files of Litestream',
    files: [
      [[9, 1, 1], 'nothing'],
      [[0, 2, 2], 'nothing'],
    ],
    verdict: 'unproven',
    restorable: '1 2',
    links: 'unproven unproven',
  },
  {
    what: 'a file that applies where no other ends',
    files: [
      [
        [9, 1, 3],
        [0, 3],
      ],
      [
        [0, 3, 4],
        [2, 4],
      ],
    ],
    verdict: 'unproven',
    restorable: '3 4',
    links: 'loose start',
  },
  {
    what: 'a gap',
    files: [
      [
        [9, 1, 1],
        [0, 1],
      ],
      [
        [0, 3, 3],
        [2, 3],
      ],
      [
        [0, 7, 7],
        [6, 7],
      ],
    ],
    verdict: 'trouble',
    restorable: '1',
    troubles: ['gap: Transactions 2 are in no file.', 'gap: Transactions 4 to 6 are in no file.'],
  },
  {
    what: 'two histories',
    files: [
      [
        [9, 1, 1],
        [0, 1],
      ],
      [
        [0, 2, 2],
        [77, 2],
      ],
    ],
    verdict: 'trouble',
    restorable: '1 2',
    links: 'broken broken',
    troubles: [
      'broken: Files contradict each other about the state after transaction 1: ltx/0/0000000000000002-0000000000000002.ltx, ltx/9/0000000000000001-0000000000000001.ltx.',
    ],
  },
  {
    what: 'a damaged file',
    files: [
      [
        [9, 1, 1],
        [0, 1],
      ],
      [[0, 2, 2], 'damaged'],
    ],
    verdict: 'trouble',
    restorable: '1 2',
    links: 'broken start',
    troubles: ['damaged: not an LTX file'],
  },
])('$what', ({ files, verdict, restorable, links, troubles = [] }) => {
  const headers = new Map<string, Seen<Header>>()
  for (const [words, says] of files) {
    const header = headerOf(words, says)
    if (header) headers.set(file(words).key, header)
  }
  const status = chainStatus({
    catalog: catalog(...files.map(([words]) => words)),
    headers,
    checked: new Map(),
  })
  expect(status.verdict).toBe(verdict)
  if (restorable !== undefined) expect(status.restorable.join(' ')).toBe(restorable)
  if (links !== undefined) expect([...status.links.values()].join(' ')).toBe(links)
  expect(status.troubles.map(({ kind, message }) => `${kind}: ${message}`)).toEqual(troubles)
})

test('a file whose bytes are wrong is trouble, one whose bytes are right is counted', () => {
  const words: FileWords[] = [
    [9, 1, 1],
    [0, 2, 2],
  ]
  const headers = new Map([
    [file(words[0]!).key, headerOf(words[0]!, [0, 1])!],
    [file(words[1]!).key, headerOf(words[1]!, [1, 2])!],
  ])
  const checked = new Map<string, Seen<true>>([
    [file(words[0]!).key, { value: true }],
    [file(words[1]!).key, { error: new LTXError('checksum-mismatch', 'the checksum is wrong') }],
  ])
  const status = chainStatus({ catalog: catalog(...words), headers, checked })
  expect(status.verdict).toBe('trouble')
  expect(status.checked).toBe(1)
  expect(status.links.get(file(words[1]!).key)).toBe('broken')
})

test('states that touch are one mark, and a gap is one of its own', () => {
  const files = [file([9, 1, 1]), file([0, 2, 2]), file([0, 3, 3]), file([0, 8, 8]), file([9, 1, 9])]
  const { restorable, gaps } = chainStatus({
    catalog: catalog([9, 1, 1], [0, 2, 2], [0, 3, 3], [9, 1, 9], [0, 12, 12]),
    headers: new Map(),
    checked: new Map(),
  })
  const scale = txidScale([...files, file([0, 12, 12])])
  const runs = layoutStates({ restorable, gaps, scale, view: scale.whole, width: 120 })
  expect(runs.map(({ kind, x, width, from, to }) => `${kind} ${from}-${to} ${x}+${width}`)).toEqual([
    'restorable 1-3 0+30',
    'restorable 9-9 80+10',
    'gap 10-11 90+20',
  ])
})

test('by time, states are marks also where a clock went back', () => {
  const files = [file([9, 1, 1, 100]), file([0, 2, 2, 0]), file([0, 3, 3, 50])]
  const scale = timeScale(files)
  const restorable = files.map(({ maxTXID }) => maxTXID)
  const runs = layoutStates({ restorable, gaps: [], scale, view: scale.whole, width: 100 })
  expect(runs.map(({ x, from, to }) => `${from}-${to} ${x}`)).toEqual(['2-2 -3', '3-3 47', '1-1 97'])
})
