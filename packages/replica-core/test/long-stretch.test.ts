import { describe, expect, it } from 'vitest'
import { addRows, Scene } from './scenarios/support/scene.ts'

const FRAME = 4096 + 24
const MEBIBYTE = 1 << 20

describe('a long stretch of the WAL', () => {
  it.each([
    ['in several reads that stay in memory', 12, 200, undefined],
    ['too long for memory, so that it is read again', 20, 200, undefined],
    ['one transaction that is too long for memory', 20, 1, undefined],
    ['cut in the middle of a read, in memory', 12, 400, 2.5 * MEBIBYTE],
    ['cut in the middle of a read, too long for memory', 20, 400, 2.5 * MEBIBYTE],
  ])('is captured whole: %s', async (_, mebibytes, transactions, cutBytes) => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({
      syncIntervalMs: 3_600_000,
      checkpointFrames: 1_000_000,
      ...(cutBytes && { cutBytes }),
    })
    await primary.durable()
    const rows = Math.ceil((mebibytes * MEBIBYTE) / 3500 / transactions)
    scene.app.run(`BEGIN; ${addRows(rows, 3500)}; COMMIT;`.repeat(transactions))
    await primary.durable()
    const last = scene.seen('captured').at(-1)
    expect(last?.wal.frame).toBeGreaterThan((mebibytes * MEBIBYTE) / FRAME)
    const files = scene.seen('captured').length
    if (cutBytes !== undefined) expect(files).toBeGreaterThan((mebibytes * MEBIBYTE) / cutBytes / 2)
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages()
  })
})
