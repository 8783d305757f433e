import { toChecksum, toTXID } from '@sqlstream/ltx'
import { describe, expect, it } from 'vitest'
import { type LocalSide, planStart, type RemoteSide, type StartPlan } from '../src/plan-start.ts'

const A = toChecksum(0x8000000000000001n)
const B = toChecksum(0x8000000000000002n)

function local(txid: number, more: Partial<LocalSide> = {}): LocalSide {
  return { txid: toTXID(BigInt(txid)), postApplyChecksum: A, pageSize: 4096, checksumAtHead: A, ...more }
}

function remote(head: number, more: Partial<RemoteSide> = {}): RemoteSide {
  return { head: toTXID(BigInt(head)), postApplyChecksum: A, connected: true, ...more }
}

function snapshot(txid: number, reason: string): unknown {
  return { kind: 'snapshot', txid: BigInt(txid), reason }
}

type Row = readonly [
  what: string,
  local: LocalSide | undefined,
  remote: RemoteSide | undefined,
  expected: unknown,
  onBehind?: 'snapshot',
]

// SPEC.md, "Start", row by row, and where rows meet.
const TABLE: readonly Row[] = [
  ['nothing anywhere', undefined, undefined, snapshot(1, 'first-start')],
  [
    'nothing here, a proven head there',
    undefined,
    remote(9),
    { kind: 'compare', head: 9n, checksum: A, mayContinue: true, txid: 10n },
  ],
  [
    'nothing here, and a base of a former writer may still arrive',
    undefined,
    remote(9, { lateBase: toTXID(12n) }),
    { kind: 'compare', head: 9n, checksum: A, mayContinue: false, txid: 13n },
  ],
  [
    'the position is the head, and a base of a former writer may still arrive',
    local(9),
    remote(9, { lateBase: toTXID(10n) }),
    snapshot(11, 'late-writer'),
  ],
  [
    'nothing there but what may still arrive',
    undefined,
    remote(0, { lateBase: toTXID(1n), connected: false, formerMayWrite: true }),
    snapshot(65_538, 'first-start'),
  ],
  [
    'the checksums differ, and a former writer may still send',
    local(9, { checksumAtHead: B }),
    remote(9, { formerMayWrite: true }),
    snapshot(65_546, 'histories-differ'),
  ],
  [
    'the position is the head, and a former writer may still send',
    local(9),
    remote(9, { formerMayWrite: true }),
    { kind: 'continue', head: 9n },
  ],
  [
    'ahead of a head that another writer has gone on to from elsewhere',
    local(12, { checksumAtHead: B }),
    remote(9, { takenOver: true }),
    { kind: 'diverged' },
  ],
  [
    'the same, and the spool does not lead from that head',
    local(12, { checksumAtHead: undefined }),
    remote(9, { takenOver: true }),
    { kind: 'diverged' },
  ],
  [
    'the same, and it has got another page size since',
    local(12, { checksumAtHead: B, pageSize: 512 }),
    remote(9, { takenOver: true }),
    { kind: 'diverged' },
  ],
  [
    'ahead of a head of another writer who had its state from here',
    local(12),
    remote(9, { takenOver: true }),
    { kind: 'continue', head: 9n },
  ],
  [
    'behind the head, if it has no more than its state says',
    local(7, { mayLag: true }),
    remote(9),
    { kind: 'compare', head: 9n, checksum: A, behind: 7n, mayContinue: true, txid: 10n },
  ],
  [
    'the same, where the head proves nothing',
    local(7, { mayLag: true }),
    remote(9, { postApplyChecksum: undefined }),
    { kind: 'refuse', head: 9n, local: 7n },
  ],
  [
    'at the head, whatever its log has said',
    local(9, { mayLag: true }),
    remote(9),
    { kind: 'continue', head: 9n },
  ],
  ['a position, nothing there', local(7), undefined, snapshot(8, 'replica-empty')],
  ['the position is the head', local(9), remote(9), { kind: 'continue', head: 9n }],
  ['the spool connects to the head', local(12), remote(9), { kind: 'continue', head: 9n }],
  [
    'the position is the head, the checksums differ',
    local(9, { checksumAtHead: B }),
    remote(9),
    snapshot(10, 'histories-differ'),
  ],
  [
    'the spool connects, the checksums differ',
    local(12, { checksumAtHead: B }),
    remote(9),
    snapshot(13, 'histories-differ'),
  ],
  [
    'the spool does not connect',
    local(12, { checksumAtHead: undefined }),
    remote(9),
    snapshot(13, 'spool-does-not-connect'),
  ],
  ['behind the head', local(5), remote(9), { kind: 'refuse', head: 9n, local: 5n }],
  ['behind the head, by policy', local(5), remote(9), snapshot(10, 'behind'), 'snapshot'],
  [
    'behind the head after a restore to the past',
    local(5, { restoredWhenHeadWas: toTXID(9n) }),
    remote(9),
    snapshot(10, 'restored-to-older'),
  ],
  [
    'behind the head after a restore, but the replica has moved on since',
    local(5, { restoredWhenHeadWas: toTXID(8n) }),
    remote(9),
    { kind: 'refuse', head: 9n, local: 5n },
  ],
  [
    'restored from the head itself',
    local(9, { restoredWhenHeadWas: toTXID(9n) }),
    remote(9),
    { kind: 'continue', head: 9n },
  ],
  ['another page size', local(9, { pageSize: 8192 }), remote(9), snapshot(10, 'page-size-changed')],
  ['a gap there', local(9), remote(9, { connected: false }), snapshot(10, 'replica-has-gap')],
  ['a gap there, nothing here', undefined, remote(9, { connected: false }), snapshot(10, 'replica-has-gap')],
  [
    'an unproven head',
    local(9),
    remote(9, { postApplyChecksum: undefined }),
    snapshot(10, 'replica-unproven'),
  ],
  [
    'an unproven head, nothing here',
    undefined,
    remote(9, { postApplyChecksum: undefined }),
    snapshot(10, 'replica-unproven'),
  ],
  // An old copy that was put back is refused whatever else is the matter: nobody may decide that but a person.
  [
    'behind the head, and a gap there',
    local(5),
    remote(9, { connected: false }),
    { kind: 'refuse', head: 9n, local: 5n },
  ],
]

describe('the decision at start', () => {
  it.each(TABLE.map((row) => ({ what: row[0], row })))('S2, P6: $what', ({ row }) => {
    const [, here, there, expected, onBehind = 'refuse'] = row
    expect(planStart({ pageSize: 4096, local: here, remote: there, onBehind, onDiverged: 'refuse' })).toEqual(
      expected,
    )
  })

  it('P2, S5: a snapshot always comes after everything that either side has', () => {
    for (const here of [undefined, local(3), local(9), local(20)]) {
      for (const there of [undefined, remote(9), remote(9, { connected: false })]) {
        for (const onBehind of ['refuse', 'snapshot'] as const) {
          const plan: StartPlan = planStart({
            pageSize: 512,
            local: here,
            remote: there,
            onBehind,
            onDiverged: onBehind,
          })
          if (plan.kind !== 'snapshot') continue
          expect(plan.txid).toBeGreaterThan(here?.txid ?? 0n)
          expect(plan.txid).toBeGreaterThan(there?.head ?? 0n)
        }
      }
    }
  })
})
