import { toTXID } from '@sqlstream/ltx'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { Backlog } from '../src/backlog.ts'
import type { PrimaryEvent } from '../src/events.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

const captured = (txid: bigint, milliseconds = 0): PrimaryEvent =>
  ({ type: 'captured', pos: { txid: toTXID(txid) }, milliseconds }) as PrimaryEvent
const uploaded = (txid: bigint): PrimaryEvent =>
  ({ type: 'uploaded', file: { maxTXID: toTXID(txid) } }) as PrimaryEvent

describe('since when a replica lacks something', () => {
  let time = 0
  const at = (instant: number): void => {
    time = instant
  }

  it('is when its oldest commit was seen, until that is acknowledged', () => {
    const backlog = new Backlog(() => time)
    expect(backlog.since).toBeUndefined()
    at(100)
    backlog.behind()
    at(200)
    backlog.behind()
    expect(backlog.since).toBe(100)
    backlog.observe(captured(2n))
    backlog.current()
    at(300)
    backlog.behind()
    backlog.observe(captured(3n))
    backlog.current()
    expect(backlog.since).toBe(100)
    backlog.observe(uploaded(2n))
    expect(backlog.since).toBe(300)
    backlog.observe(uploaded(3n))
    expect(backlog.since).toBeUndefined()
  })

  it('is the begin of a capture whose commits were not seen before', () => {
    const backlog = new Backlog(() => time)
    at(1000)
    backlog.observe(captured(2n, 40))
    expect(backlog.since).toBe(960)
  })

  it('does not become shorter when an image takes the place of what waits', () => {
    const backlog = new Backlog(() => time)
    backlog.found(toTXID(2n), 50)
    at(1000)
    backlog.observe({ type: 'snapshot-started', txid: toTXID(9n), reason: 'late-writer' })
    backlog.observe(uploaded(2n))
    expect(backlog.since).toBe(50)
    backlog.observe({ ...uploaded(9n), type: 'snapshotted' } as PrimaryEvent)
    expect(backlog.since).toBeUndefined()
  })

  it('begins with the failure for a database that cannot be read, and ends when it can', () => {
    const backlog = new Backlog(() => time)
    at(10)
    backlog.doubtful()
    at(20)
    backlog.doubtful()
    expect(backlog.since).toBe(10)
    backlog.current()
    expect(backlog.since).toBeUndefined()
  })

  it('does not end for one that is fenced', () => {
    const backlog = new Backlog(() => time)
    at(10)
    backlog.observe({ type: 'state', from: 'idle', to: 'fenced' })
    backlog.current()
    expect(backlog.since).toBe(10)
  })
})

describe('a primary', () => {
  it('tells since when, while uploads fail, and that nothing is lacking when they succeed', async () => {
    let faulty: FaultyStore | undefined
    await using scene = await Scene.begin({ wrap: (store) => (faulty = withFaults(store, [])) })
    const primary = await scene.replicate()
    await primary.durable()
    expect(primary.status.unreplicatedSince).toBeUndefined()
    faulty?.setPlan([{ operation: 'put', key: /ltx/, fault: 'fail' }])
    const before = Date.now()
    scene.app.run(addRows(1))
    await primary.sync()
    const since = primary.status.unreplicatedSince
    expect(since).toBeGreaterThanOrEqual(before)
    scene.app.run(addRows(1))
    await primary.sync()
    expect(primary.status.unreplicatedSince).toBe(since)
    await primary.close({ signal: AbortSignal.abort() })

    // Another process goes on with what waits, and knows since when.
    const second = await scene.replicate()
    expect(second.status.unreplicatedSince).toBeLessThanOrEqual(Date.now())
    expect(second.status.unreplicatedSince).toBeGreaterThanOrEqual(before - 1000)
    faulty?.setPlan([])
    await second.durable()
    expect(second.status.unreplicatedSince).toBeUndefined()
  })
})
